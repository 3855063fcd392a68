"""The private temporary folder of a server: the only place where it writes, and gone when it ends."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from filelock import FileLock, Timeout

PREFIX = "irodori-serve-"
LOCK = "lock"


class PrivateFolder:
    """A folder that only this user can enter; held by a lock, so that another server knows that it is in use."""

    def __init__(self) -> None:
        remove_left_behind()
        self.path = Path(tempfile.mkdtemp(prefix=PREFIX))
        self._lock = FileLock(self.path / LOCK)
        self._lock.acquire(timeout=0)

    def remove(self) -> None:
        """Deletes it with all that is in it."""
        self._lock.release()
        shutil.rmtree(self.path, ignore_errors=True)


def remove_left_behind() -> None:
    """Deletes folders of this user's servers that were killed: nobody holds their lock any more."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        if folder.is_symlink() or not (folder / LOCK).is_file() or not _is_mine(folder):
            continue
        try:
            with FileLock(folder / LOCK, timeout=0):
                pass
        except (Timeout, OSError):
            continue
        shutil.rmtree(folder, ignore_errors=True)


def _is_mine(folder: Path) -> bool:
    return not hasattr(os, "getuid") or folder.stat().st_uid == os.getuid()
