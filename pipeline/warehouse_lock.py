"""The advisory lock that lets one process at a time write a home's warehouse.

The kernel holds it (``flock``), so it ends with its holder however that dies; the file's text only says who holds it.
"""

import fcntl
import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from io import TextIOWrapper
from pathlib import Path
from typing import Final

from pipeline.errors import StoreError

_PAUSE_SECONDS: Final = 0.1


class WriterLock:
    """An exclusive lock on a file; taken by :meth:`acquire`, given back by :meth:`release` or by the process's end."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: TextIOWrapper | None = None

    def acquire(self, wait_seconds: float, on_wait: Callable[[str], None] | None = None) -> None:
        """Take the lock, waiting for whoever holds it; ``on_wait`` hears once who that is. Creates the file.

        Raises:
            StoreError: it was not free within ``wait_seconds``.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        file = self.path.open("a+", encoding="utf-8")
        try:
            self._wait(file, wait_seconds, on_wait)
        except BaseException:
            file.close()
            raise
        _sign(file)
        self._file = file

    def release(self) -> None:
        """Give the lock back; does nothing when it is not held."""
        if self._file is not None:
            self._file.truncate(0)
            self._file.close()
            self._file = None

    def holder(self) -> str:
        """Return in words who took the lock last."""
        try:
            pid, _, since = self.path.read_text(encoding="utf-8").strip().partition(" ")
        except OSError:
            pid = since = ""
        if not since:
            return "another process"
        return f"process {pid} (this one)" if pid == str(os.getpid()) else f"process {pid}, since {since}"

    def _wait(self, file: TextIOWrapper, wait_seconds: float, on_wait: Callable[[str], None] | None) -> None:
        deadline = time.monotonic() + wait_seconds
        told = False
        while not _try(file):
            if time.monotonic() >= deadline:
                raise StoreError(
                    f"{self.path}: the warehouse is being written by {self.holder()}; waited {wait_seconds:g} s. "
                    "Let it finish, or end it, and try again"
                )
            if not told and on_wait is not None:
                on_wait(f"waiting for {self.holder()}, which is writing the warehouse")
            told = True
            time.sleep(_PAUSE_SECONDS)


def _try(file: TextIOWrapper) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _sign(file: TextIOWrapper) -> None:
    file.truncate(0)
    file.write(f"{os.getpid()} {datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}\n")
    file.flush()
