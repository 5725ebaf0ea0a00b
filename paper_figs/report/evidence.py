"""Evidence of a claim, a figure or a table: folders of records and the commands that made them."""

from collections.abc import Sequence
from dataclasses import dataclass

from paper_figs.drawing.entry import FigureEntry
from paper_figs.figures.registry import FIGURES
from protocol.claims import Claim
from protocol.sources import Source, by_name, sources_of


@dataclass(frozen=True)
class Evidence:
    """The records from which a claim was computed, and the figure that shows the claim.

    commands: as typed when the records were made, then those that make one folder each.
    """

    figure: str | None  # its name, None if no figure shows the claim
    records: tuple[str, ...]  # folders below the output folder
    commands: tuple[str, ...]

    def row(self) -> dict[str, object]:
        """The evidence as in claims.json."""
        return {
            "figure": self.figure,
            "records": list(self.records),
            "commands": list(self.commands),
        }


def of(claim: Claim, sources: Sequence[Source]) -> Evidence:
    """The evidence of a claim.

    Its figure is the first of the registry that lists the claim's id and world. A figure drawn from
    the claim's own records has priority (L5 of the schedules is in Figure 8, not 6).
    """
    own_sources = sources_of(sources, claim.experiments, claim.world, claim.model)
    folders = {source.folder for source in own_sources}
    shown = [entry for entry in FIGURES if claim.id in entry.claims and claim.world in entry.worlds]
    own = [entry for entry in shown if _folders(entry) & folders]
    return _evidence(next((entry.name for entry in [*own, *shown]), None), own_sources)


def _folders(entry: FigureEntry) -> set[str]:
    """The folders that a figure's commands make: `retrace llm positions` makes llm/positions."""
    return {"/".join(command.split()[1:3]) for command in entry.commands}


def of_figure(entry: FigureEntry, sources: Sequence[Source]) -> Evidence:
    """The evidence of a figure: the sources its commands make."""
    return _evidence(entry.name, [source for source in sources if source.folder in _folders(entry)])


def of_table1(sources: Sequence[Source]) -> Evidence:
    """The evidence of Table 1: the sources with positions of language models."""
    return _evidence(None, sources_of(sources, ("positions",), "llm", ""))


def _single_commands(sources: Sequence[Source]) -> list[str]:
    """The command for one folder alone, if a larger one was typed (`retrace reproduce`)."""
    commands = [(source.command, by_name(source.folder)) for source in sources]
    return [single for typed, single in commands if not typed.startswith(single)]


def _evidence(figure: str | None, sources: Sequence[Source]) -> Evidence:
    folders = tuple(f"records/{source.folder}" for source in sources)
    commands = [*(source.command for source in sources), *_single_commands(sources)]
    return Evidence(figure, folders, tuple(dict.fromkeys(commands)))
