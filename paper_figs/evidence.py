"""From a claim to its evidence: the figure that shows it, the folders of its records, the commands that made them."""

from collections.abc import Sequence
from dataclasses import dataclass

from paper_figs.registry import FIGURES
from protocol.claims import Claim
from protocol.sources import Source, sources_of


@dataclass(frozen=True)
class Evidence:
    """What a claim was computed from and where it is shown."""

    figure: str | None  # name of its figure, None where there is none
    records: tuple[str, ...]  # folders below the output folder
    commands: tuple[str, ...]  # as typed when the records were made

    def row(self) -> dict[str, object]:
        """As it stands in claims.json."""
        return {"figure": self.figure, "records": list(self.records), "commands": list(self.commands)}


def of(claim: Claim, sources: Sequence[Source]) -> Evidence:
    """The evidence of a claim; its figure is the first of the registry that lists its id and its world."""
    shown = (entry.name for entry in FIGURES if claim.id in entry.claims and claim.world in entry.worlds)
    found = sources_of(sources, claim.experiments, claim.world, claim.model)
    return Evidence(
        next(shown, None),
        tuple(f"records/{source.folder}" for source in found),
        tuple(dict.fromkeys(source.command for source in found)),
    )
