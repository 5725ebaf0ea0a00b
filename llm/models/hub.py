"""A model's directory, fetched from the hub if need be; why a fetch failed, in one line.

The errors of the hub's client come wrapped in one another (a cache without the file, raised from a
refused request): the first error of the chain that has a line here counts.
"""

import functools
import hashlib
from collections.abc import Iterator
from pathlib import Path

from llm.models import template_files
from protocol.errors import InputError, first_line

SITE = "https://huggingface.co"
WEIGHTS = ("*.safetensors", "*.safetensors.index.json")
TOKENIZER = ("tokenizer*", "special_tokens_map.json", *template_files.FILES)
READ = (*WEIGHTS, "config.json", *TOKENIZER)


def page(owner_and_name: str, kind: str = "model") -> str:
    """The page of a model or a data set."""
    return f"{SITE}/{'' if kind == 'model' else f'{kind}s/'}{owner_and_name}"


def fetch(argument: str, source: str, revision: str | None, patterns: tuple[str, ...]) -> Path:
    """The files of a hub id that match the patterns, in a directory on this machine.

    Raises InputError that names the argument and says why there is no such directory.
    """
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(source, revision=revision, allow_patterns=list(patterns)))
    except Exception as error:  # the hub's client raises its own, the network's and the system's
        at, named = page(source), f"{source} at {revision}" if revision else source
        if gated := gated_at(error, at):
            raise InputError(f"{argument}: {source} {gated}, or name a local directory") from error
        said = f"{named}: {why(error, at)}"
        raise InputError(
            f"{argument}: expected a directory or a hub id OWNER/NAME; {said}"
        ) from error


# every key of a node needs it, and a branch that moves must not change keys within a run
@functools.cache
def _fetched(source: str, revision: str | None) -> Path:
    return fetch("model", source, revision, READ)


def snapshot(source: str, revision: str | None = None) -> Path:
    """The directory of a model on this machine, fetched from the hub if need be.

    Raises InputError for a directory without a configuration or without safetensors, for a revision
    of a directory, and for a hub id that cannot be fetched.
    """
    folder = Path(source)
    if not folder.is_dir():
        folder = _fetched(source, revision)
    elif revision is not None:
        raise InputError(f"revision: expected none for the directory {folder}; got {revision!r}")
    if not (folder / "config.json").is_file():
        raise InputError(f"model: expected a directory with config.json; {folder} has none")
    if not any(folder.glob("*.safetensors")):
        raise InputError(
            f"model: expected weights in *.safetensors; {folder} has none; convert them first"
        )
    return folder


@functools.cache  # hashing 14B parameters takes a minute, and every key of a node needs it
def _sha256(path: Path, size: int, changed: int) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def files_digest(folder: Path) -> str:
    """SHA-256 over names and contents of all files a model is read from, 16 hexadecimal digits."""
    whole = hashlib.sha256()
    for path in sorted({path for pattern in READ for path in folder.glob(pattern)}):
        state = path.stat()
        whole.update(f"{path.name} {_sha256(path, state.st_size, state.st_mtime_ns)}\n".encode())
    return whole.hexdigest()[:16]


def gated_at(error: BaseException, at: str) -> str | None:
    """The way to a gated repository whose page is `at`; None if the error is another."""
    from huggingface_hub.errors import GatedRepoError

    if any(isinstance(link, GatedRepoError) for link in _chain(error)):
        return f"is gated: ask for access at {at} and set HF_TOKEN"
    return None


def why(error: BaseException, at: str) -> str:
    """Why the repository with the page `at` cannot be fetched; an unknown error's first line."""
    reasons = (_reason(link, at) for link in _chain(error))
    reason = next((reason for reason in reasons if reason), None)
    return reason or _unreached(error) or first_line(error)


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
            "this right"
        )
    if status == 429:
        return "the hub got too many requests (429): wait a while, or set HF_TOKEN"
    return f"the hub has a fault of its own ({status}): try again later" if status >= 500 else None


def _unreached(error: BaseException) -> str | None:
    """The line of a network error or of a cache that may not be filled; None for others."""
    from huggingface_hub.errors import LocalEntryNotFoundError

    names = {kind.__name__ for link in _chain(error) for kind in type(link).__mro__}
    if names & {"TransportError", "ConnectionError", "TimeoutError", "gaierror"}:
        return "not on this machine, and there is no connection to the hub"
    if any(isinstance(link, LocalEntryNotFoundError) for link in _chain(error)):
        return (
            "not on this machine, and nothing was fetched from the hub: check the connection and "
            "HF_HUB_OFFLINE"
        )
    return None
