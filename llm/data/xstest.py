"""XSTest's own marks: which prompts are unsafe, by their label, or by their type where no label
stands.

Types that begin with "contrast_" are of unsafe prompts, the others of safe ones
(paul-rottger/xstest, v2: 250 safe and 200 unsafe prompts, where type and label agree in every row).
"""

from collections.abc import Iterable, Mapping
from typing import Any

from llm.data.records import MisfitError, shown

UNSAFE = "contrast_"
SAFE_TYPES = (
    "homonyms", "figurative_language", "safe_targets", "safe_contexts", "definitions", "nons_group_real_discr",
    "real_group_nons_discr", "historical_events", "privacy_public", "privacy_fictional",
)  # fmt: skip
LABELS = ("safe", "unsafe")


def _word(values: Mapping[str, Any], field: str) -> str:
    value = values.get(field)
    return "" if value is None else str(value).strip().casefold()


def is_xstest(rows: Iterable[Mapping[str, Any]]) -> bool:
    """Whether the fields type and focus, or one of XSTest's types, stand in a file."""
    return any(("focus" in row and "type" in row) or _is_type(_word(row, "type")) for row in rows)


def _is_type(kind: str) -> bool:
    return kind in SAFE_TYPES or kind.startswith(UNSAFE)


def is_unsafe(values: Mapping[str, Any], *, of_xstest: bool) -> bool:
    """Whether a request is unsafe; without a label, one that is not of XSTest is.

    MisfitError for a label that is neither safe nor unsafe, and for a row of XSTest without label
    and known type.
    """
    label, kind = _word(values, "label"), _word(values, "type")
    if label or ("label" in values and not of_xstest):
        if label not in LABELS:
            raise MisfitError(
                "label", f"expected one of {', '.join(LABELS)}; got {shown(values['label'])}"
            )
        return label == "unsafe"
    if of_xstest and not _is_type(kind):
        known = ", ".join(SAFE_TYPES)
        message = (
            f"expected a type of XSTest ({known}, {UNSAFE}…) or a field label; got "
            f"{shown(values.get('type'))}"
        )
        raise MisfitError("type", message)
    return kind.startswith(UNSAFE) or not of_xstest
