"""One trained micro lab for all tests of this folder."""

from pathlib import Path

import micro
import pytest
import torch
import transformers

from llm.stages import Lab
from llm.store import open_store


@pytest.fixture(scope="session", autouse=True)
def quiet_single_thread() -> None:
    torch.set_num_threads(1)
    transformers.utils.logging.disable_progress_bar()


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """Seed 0 of the micro experiment."""
    folder: Path = tmp_path_factory.mktemp("runs")
    return Lab(micro.experiment(), 0, open_store(folder))
