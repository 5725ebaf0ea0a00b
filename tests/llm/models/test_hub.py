"""What cannot be fetched from the hub: each of its client's errors is one line, for models,
templates and data.
"""

import httpx2
import pytest
from huggingface_hub import errors

from llm.data import files
from llm.models import hub
from protocol.errors import InputError

LLAMA = "meta-llama/Llama-3.2-1B"
SORRY = "hf://datasets/sorry-bench/sorry-bench-202406@main/question.jsonl"
MODEL_PAGE = f"https://huggingface.co/{LLAMA}"
DATA_PAGE = "https://huggingface.co/datasets/sorry-bench/sorry-bench-202406"


def refused(kind: type[errors.HfHubHTTPError], status: int = 404) -> errors.HfHubHTTPError:
    """An answer of the hub's server, as its client raises it."""
    response = httpx2.Response(status, request=httpx2.Request("GET", "https://huggingface.co/api"))
    return kind(f"{status} Client Error. (Request ID: Root=1-6)\n\nSome url.", response=response)


def wrapped(inner: Exception, outer: Exception | None = None) -> Exception:
    """An error as it comes out of a cache that has not the file."""
    outer = outer or errors.LocalEntryNotFoundError(
        "An error happened while trying to locate the files on the Hub."
    )
    outer.__cause__ = inner
    return outer


def model_line(
    monkeypatch: pytest.MonkeyPatch, error: Exception, revision: str | None = None
) -> str:
    def fails(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("huggingface_hub.snapshot_download", fails)
    with pytest.raises(InputError) as raised:
        hub.fetch("model", LLAMA, revision, ("*.json",))
    return str(raised.value)


def data_line(monkeypatch: pytest.MonkeyPatch, error: Exception) -> str:
    def fails(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("huggingface_hub.HfFileSystem.resolve_path", fails)
    with pytest.raises(InputError) as raised:
        files.local(SORRY)
    return str(raised.value)


GATED = (
    refused(errors.GatedRepoError, 403),
    refused(errors.GatedRepoError, 401),
    wrapped(refused(errors.GatedRepoError, 403)),
    wrapped(refused(errors.GatedRepoError, 403), FileNotFoundError("repository not found")),
)


@pytest.mark.parametrize("error", GATED)
def test_a_gated_model_or_file_says_where_access_is_asked_for(monkeypatch, error) -> None:
    assert model_line(monkeypatch, error) == (
        f"model: {LLAMA} is gated: ask for access at {MODEL_PAGE} and set HF_TOKEN, or name a "
        "local directory"
    )
    assert (
        data_line(monkeypatch, error)
        == f"data: {SORRY} is gated: ask for access at {DATA_PAGE} and set HF_TOKEN"
    )


UNREACHED = "not on this machine, and there is no connection to the hub"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            refused(errors.RepositoryNotFoundError),
            "there is no {page}, or it is private and HF_TOKEN gives no access to it",
        ),
        (
            wrapped(
                refused(errors.RepositoryNotFoundError, 401),
                FileNotFoundError("x (repository not found)"),
            ),
            "there is no {page}, or it is private and HF_TOKEN gives no access to it",
        ),
        (
            wrapped(refused(errors.RevisionNotFoundError)),
            "there is no such revision; those there are: {page}/tree/main",
        ),
        (refused(errors.RemoteEntryNotFoundError), "there is no such file in {page}/tree/main"),
        (refused(errors.DisabledRepoError, 403), "{page} was closed"),
        (
            errors.HFValidationError("Repo id must be …"),
            "neither a file or directory here nor a name of the hub",
        ),
        (
            wrapped(errors.OfflineModeIsEnabled("x")),
            "not on this machine, and HF_HUB_OFFLINE forbids to fetch it",
        ),
        (wrapped(httpx2.ConnectError("[Errno -2] Name or service not known")), UNREACHED),
        (wrapped(httpx2.ReadTimeout("timed out")), UNREACHED),
        (httpx2.ProxyError("503"), UNREACHED),
        (ConnectionResetError("reset"), UNREACHED),
        (
            errors.LocalEntryNotFoundError("Cannot find the requested files in the disk cache"),
            "not on this machine, and nothing was fetched from the hub: check the connection and "
            "HF_HUB_OFFLINE",
        ),
        (
            refused(errors.HfHubHTTPError, 401),
            "the hub refuses the token in HF_TOKEN for https://huggingface.co (401): it is "
            "wrong, or lacks this right",
        ),
        (
            wrapped(refused(errors.HfHubHTTPError, 429)),
            "the hub got too many requests (429): wait a while, or set HF_TOKEN",
        ),
        (
            wrapped(refused(errors.HfHubHTTPError, 503)),
            "the hub has a fault of its own (503): try again later",
        ),
        (OSError("No space left on device\nmore"), "No space left on device"),
        (KeyError(), "KeyError"),
    ],
)
def test_what_cannot_be_fetched_says_why_in_one_line(monkeypatch, error, said) -> None:
    model, data = said.format(page=MODEL_PAGE), said.format(page=DATA_PAGE)
    expected = "model: expected a directory or a hub id OWNER/NAME; "
    assert model_line(monkeypatch, error) == f"{expected}{LLAMA}: {model}"
    assert model_line(monkeypatch, error, "v9") == f"{expected}{LLAMA} at v9: {model}"
    assert data_line(monkeypatch, error) == f"data: expected a file of the hub; {SORRY}: {data}"


def test_what_an_error_was_not_raised_from_says_nothing_about_it(monkeypatch) -> None:
    error = OSError("disk full")
    error.__context__, error.__suppress_context__ = refused(errors.GatedRepoError, 403), True
    assert model_line(monkeypatch, error).endswith(f"{LLAMA}: disk full")
