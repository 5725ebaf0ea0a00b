"""From a claim, a figure or a table to its evidence: the folders of its records and the commands
that made them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from paper_figs.drawing.entry import FigureEntry
from paper_figs.figures.registry import FIGURES
from protocol.claims import Claim
from protocol.sources import Source, by_name, sources_of


@dataclass(frozen=True)
class Evidence:
    """What a claim was computed from and where it is shown."""

    figure: str | None  # name of its figure, None where there is none
    records: tuple[str, ...]  # folders below the output folder
    commands: tuple[
        str, ...
    ]  # as typed when the records were made, and the one that makes a folder alone

    def row(self) -> dict[str, object]:
        """As it stands in claims.json."""
        return {
            "figure": self.figure,
            "records": list(self.records),
            "commands": list(self.commands),
        }


def of(claim: Claim, sources: Sequence[Source]) -> Evidence:
    """The evidence of a claim.

    Its figure is the first of the registry that lists its id and its world; of those that do, one
    drawn from the claim's own records goes first (L5 of the schedules is in Figure 8, not 6).
    """
    found = sources_of(sources, claim.experiments, claim.world, claim.model)
    shown = [entry for entry in FIGURES if claim.id in entry.claims and claim.world in entry.worlds]
    own = [entry for entry in shown if _folders(entry) & {source.folder for source in found}]
    return _evidence(next((entry.name for entry in [*own, *shown]), None), found)


def _folders(entry: FigureEntry) -> set[str]:
    """What the commands of a figure make: `retrace llm positions` makes llm/positions."""
    return {"/".join(command.split()[1:3]) for command in entry.commands}


def of_figure(entry: FigureEntry, sources: Sequence[Source]) -> Evidence:
    """The evidence of a figure: the sources its commands make."""
    return _evidence(entry.name, [source for source in sources if source.folder in _folders(entry)])


def of_table1(sources: Sequence[Source]) -> Evidence:
    """The evidence of Table 1: the sources with positions of language models."""
    return _evidence(None, sources_of(sources, ("positions",), "llm", ""))


def _alone(found: Sequence[Source]) -> list[str]:
    """The commands that make one folder each, where a larger one was typed (`retrace reproduce`)."""
    return [
        by_name(source.folder)
        for source in found
        if not source.command.startswith(by_name(source.folder))
    ]


def _evidence(figure: str | None, found: Sequence[Source]) -> Evidence:
    return Evidence(
        figure,
        tuple(f"records/{source.folder}" for source in found),
        tuple(dict.fromkeys([*(source.command for source in found), *_alone(found)])),
    )
