"""What the hub's client says where something cannot be fetched, in one line that says what to do.

Its errors come wrapped in one another (a cache without the file, raised from a refused request):
the first one of the chain that has a line here counts.
"""

from collections.abc import Iterator

from protocol.errors import first_line

SITE = "https://huggingface.co"


def page(owner_and_name: str, kind: str = "model") -> str:
    """The page of a model or a data set."""
    return f"{SITE}/{'' if kind == 'model' else f'{kind}s/'}{owner_and_name}"


def gated_at(error: BaseException, at: str) -> str | None:
    """The way to a gated repository whose page is `at`; None where the error is another."""
    from huggingface_hub.errors import GatedRepoError

    if any(isinstance(each, GatedRepoError) for each in _chain(error)):
        return f"is gated: ask for access at {at} and set HF_TOKEN"
    return None


def why(error: BaseException, at: str) -> str:
    """Why something of the repository with the page `at` cannot be fetched; the first line of an
    unknown error.
    """
    known = (_reason(each, at) for each in _chain(error))
    return (
        next((reason for reason in known if reason), None) or _unreached(error) or first_line(error)
    )


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error and those it was raised from."""
    while error is not None:
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _reason(error: BaseException, at: str) -> str | None:
    from huggingface_hub import errors

    reasons: dict[type[BaseException], str] = {
        errors.RevisionNotFoundError: f"there is no such revision; those there are: {at}/tree/main",
        errors.RepositoryNotFoundError: (
            f"there is no {at}, or it is private and HF_TOKEN gives no access to it"
        ),
        errors.DisabledRepoError: f"{at} was closed",
        errors.RemoteEntryNotFoundError: f"there is no such file in {at}/tree/main",
        errors.HFValidationError: "neither a file or directory here nor a name of the hub",
        errors.OfflineModeIsEnabled: "not on this machine, and HF_HUB_OFFLINE forbids to fetch it",
    }
    for kind, reason in reasons.items():
        if isinstance(error, kind):
            return reason
    return _status(error) if isinstance(error, errors.HfHubHTTPError) else None


def _status(error: BaseException) -> str | None:
    status = getattr(getattr(error, "response", None), "status_code", 0)
    if status in (401, 403):
        return (
            f"the hub refuses the token in HF_TOKEN for {SITE} ({status}): it is wrong, or lacks "
            f"this right"
        )
    if status == 429:
        return "the hub got too many requests (429): wait a while, or set HF_TOKEN"
    return f"the hub has a fault of its own ({status}): try again later" if status >= 500 else None


def _unreached(error: BaseException) -> str | None:
    """What an error says that is one of the network, or of a cache that may not be filled."""
    from huggingface_hub.errors import LocalEntryNotFoundError

    names = {kind.__name__ for each in _chain(error) for kind in type(each).__mro__}
    if names & {"TransportError", "ConnectionError", "TimeoutError", "gaierror"}:
        return "not on this machine, and there is no connection to the hub"
    if any(isinstance(each, LocalEntryNotFoundError) for each in _chain(error)):
        return (
            "not on this machine, and nothing was fetched from the hub: check the connection and "
            "HF_HUB_OFFLINE"
        )
    return None
