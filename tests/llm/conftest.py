"""One store and one trained micro lab for all tests of this folder."""

from pathlib import Path

import micro
import pytest
import torch
import transformers

from llm.lab.lab import Lab
from llm.store.artifacts import open_store


@pytest.fixture(scope="session", autouse=True)
def quiet_single_thread() -> None:
    torch.set_num_threads(1)
    transformers.utils.logging.disable_progress_bar()


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """A folder for the store of all test processes: each uses what another has made."""
    own = tmp_path_factory.getbasetemp()
    return (own if worker_id == "master" else own.parent) / "runs of all"


@pytest.fixture(scope="session")
def lab(runs: Path) -> Lab:
    """Seed 0 of the micro experiment."""
    return Lab(micro.experiment(), 0, open_store(runs))
