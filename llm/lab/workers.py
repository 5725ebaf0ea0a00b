"""Tasks in single-threaded processes: for tiny models two are faster than one with two threads.

Every process computes with one thread, however many there are, so results do not depend on their
number. A process ends itself when its parent is gone, so that a killed run leaves no locks behind.
"""

import logging
import multiprocessing
import os
import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from typing import Any

import torch
import transformers

from protocol import notices

Report = Callable[[str], None]
Task = Callable[[Report], None]

_reports: Any = None  # this process's end of the queue of finished units


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def silence_libraries() -> None:
    """Keep bars and hints of transformers and bitsandbytes from the terminal; we have notices."""
    transformers.utils.logging.disable_progress_bar()
    transformers.utils.logging.set_verbosity_error()
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)


def _start(reports: Any, said: frozenset[str]) -> None:
    global _reports  # noqa: PLW0603 (a worker process belongs to one pool)
    _reports = reports
    torch.set_num_threads(1)
    # SimNPO at β = 1 has gradients of 1e-20, whose products lie below 1e-38: with them a run takes
    # eleven times as long
    torch.set_flush_denormal(True)
    notices.direct()
    notices.take_for_said(said)
    silence_libraries()
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _perform(task: Task) -> None:
    task(_reports.put)


def run_all(
    tasks: Sequence[Task],
    *,
    workers: int,
    units: int,
    label: str,
    progress: Callable[[str, int, int], None],
) -> None:
    """Run picklable tasks, started in the given order; each reports its finished units.

    units: how many units all tasks have. The first error ends the run: tasks not begun are dropped
    and the error is raised here.
    """
    context = multiprocessing.get_context("spawn")
    reports = context.Queue()
    done = 0
    progress(label, 0, units)
    with ProcessPoolExecutor(
        min(workers, len(tasks)), context, _start, (reports, notices.said())
    ) as pool:
        pending: set[Future[None]] = {pool.submit(_perform, task) for task in tasks}
        while pending:
            finished, pending = wait(pending, timeout=0.5, return_when=FIRST_COMPLETED)
            done += _drain(reports)
            progress(label, done, units)
            failed = next((future for future in finished if future.exception()), None)
            if failed is not None:
                pool.shutdown(wait=False, cancel_futures=True)
                failed.result()
    progress(label, units, units)


def _drain(reports: Any) -> int:
    count = 0
    while True:
        try:
            reports.get_nowait()
        except queue.Empty:
            return count
        count += 1
