"""Sessions: what a client has sent and what was made from it, on disk, bounded in number, size and age."""

from __future__ import annotations

import shutil
import time
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from secrets import token_urlsafe

from irodori.inference.guidance import ALL_PARTS
from irodori.web.errors import MissingError
from irodori.web.metrics import Metrics
from irodori.web.schemas import ColorizeWish
from irodori.web.settings import Settings

MAX_REFERENCES = 16
MAX_RESULTS = 60


@dataclass(frozen=True)
class Picture:
    """A picture that was sent, written anew without anything but its pixels.

    size: ``(height, width)``.  sha256: of the file as it was sent.  part: of a reference, the part that it is for.
    """

    path: Path
    size: tuple[int, int]
    sha256: str
    part: str = ALL_PARTS


@dataclass(frozen=True)
class Inputs:
    """Everything that a coloring is made from but the options; two equal ones need the same encodings."""

    model: str
    sketch: Picture | None = None
    references: tuple[Picture, ...] = ()
    masks: tuple[tuple[str, Path], ...] = ()

    @property
    def by_part(self) -> dict[str, list[Picture]]:
        """The references by the part that they are for, as `Colorizer.set_reference` takes them."""
        found: dict[str, list[Picture]] = {}
        for reference in self.references:
            found.setdefault(reference.part, []).append(reference)
        return found


@dataclass(frozen=True)
class Entry:
    """A result: what it was made from, and its files."""

    number: int
    inputs: Inputs
    wish: ColorizeWish
    path: Path
    thumbnail: Path
    seconds: float
    notices: tuple[str, ...]
    words: dict[str, str]


@dataclass
class Session:
    """One client's work.

    inputs, wish: as they are now.  entries: results by number, the oldest first.  page: what the studio's page keeps.
    files, results: how many there have been, for their names.
    """

    id: str
    folder: Path
    inputs: Inputs
    wish: ColorizeWish = field(default_factory=ColorizeWish)
    entries: OrderedDict[int, Entry] = field(default_factory=OrderedDict)
    used: float = field(default_factory=time.monotonic)
    page: dict[str, object] = field(default_factory=dict)
    files: int = 0
    results: int = 0
    open_files: set[Path] = field(default_factory=set)

    @contextmanager
    def new_file(self, kind: str, suffix: str = ".png") -> Iterator[Path]:
        """A path for a file, which goes again if anything fails; its name owes nothing to names that clients chose."""
        self.files += 1
        path = self.folder / f"{kind}-{self.files}{suffix}"
        self.open_files.add(path)
        try:
            yield path
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        finally:
            self.open_files.discard(path)

    def entry(self, number: int) -> Entry:
        """A result by its number; MissingError if it is not there."""
        if number not in self.entries:
            raise MissingError(f"there is no result {number} in this session: it was never made, or is long past")
        return self.entries[number]

    def picture(self, index: int) -> Picture:
        """A reference by its place, from 0; MissingError if it is not there."""
        if not 0 <= index < len(self.inputs.references):
            raise MissingError(f"there is no reference {index} in this session: it has {len(self.inputs.references)}")
        return self.inputs.references[index]

    def add(self, entry: Entry) -> None:
        """Keeps a result, and lets go of the oldest ones beyond `MAX_RESULTS`."""
        self.entries[entry.number] = entry
        while len(self.entries) > MAX_RESULTS:
            self.entries.popitem(last=False)
        self.sweep()

    def drop(self, numbers: Iterable[int]) -> None:
        """Lets go of some results."""
        for number in numbers:
            self.entries.pop(number, None)
        self.sweep()

    def restore(self, entry: Entry) -> None:
        """Goes back to what a result was made from."""
        self.inputs, self.wish = entry.inputs, entry.wish

    def change(self, **inputs: object) -> None:
        """Other inputs; files that nothing needs any more are deleted."""
        self.inputs = replace(self.inputs, **inputs)  # type: ignore[arg-type]
        self.sweep()

    def sweep(self) -> None:
        """Deletes files that neither the inputs nor a result needs."""
        needed = {path for inputs in self._all_inputs() for path in _files(inputs)}
        needed |= {path for entry in self.entries.values() for path in (entry.path, entry.thumbnail)} | self.open_files
        for path in self.folder.iterdir():
            if path not in needed and not path.name.startswith("."):  # those are being written
                path.unlink(missing_ok=True)

    def _all_inputs(self) -> Iterator[Inputs]:
        yield self.inputs
        yield from (entry.inputs for entry in self.entries.values())

    def size(self) -> int:
        """Bytes on disk; files may come and go while they are counted."""
        total = 0
        with suppress(FileNotFoundError):
            for path in self.folder.iterdir():
                with suppress(FileNotFoundError):
                    total += path.stat().st_size
        return total


def _files(inputs: Inputs) -> Iterator[Path]:
    if inputs.sketch:
        yield inputs.sketch.path
    yield from (reference.path for reference in inputs.references)
    yield from (path for _, path in inputs.masks)


class Store:
    """All sessions, those used last at the end.  Only the thread of the event loop calls it."""

    def __init__(self, folder: Path, settings: Settings, metrics: Metrics) -> None:
        self.folder, self.settings, self.metrics = folder, settings, metrics
        self.sessions: OrderedDict[str, Session] = OrderedDict()

    def create(self, model: str) -> Session:
        """A new session, under a name that cannot be guessed."""
        self.tidy()
        name = token_urlsafe(18)
        session = Session(name, self.folder / name, Inputs(model))
        session.folder.mkdir(mode=0o700)
        self.sessions[name] = session
        self._count()
        return session

    def get(self, name: str) -> Session:
        """A session by name; MissingError if there is none, or none any more."""
        session = self.sessions.get(name)
        if session is None or self._is_old(session):
            raise MissingError("there is no such session, or it has expired: start a new one")
        session.used = time.monotonic()
        self.sessions.move_to_end(name)
        return session

    def remove(self, name: str) -> None:
        """Deletes a session with its files."""
        session = self.sessions.pop(name, None)
        if session is not None:
            shutil.rmtree(session.folder, ignore_errors=True)
        self._count()

    def tidy(self) -> None:
        """Deletes what has expired, and what was used longest ago where there is too much."""
        for session in [session for session in self.sessions.values() if self._is_old(session)]:
            self.remove(session.id)
        while len(self.sessions) >= self.settings.sessions:
            self.remove(next(iter(self.sessions)))
        self.make_room()

    def make_room(self) -> None:
        """Deletes the sessions that were used longest ago until all fit on the disk that they may take."""
        total = self._count()
        while total > self.settings.max_disk and len(self.sessions) > 1:
            self.remove(next(iter(self.sessions)))
            total = self._count()

    def _is_old(self, session: Session) -> bool:
        return time.monotonic() - session.used > self.settings.idle

    def _count(self) -> int:
        total = sum(session.size() for session in self.sessions.values())
        self.metrics.sessions.set(len(self.sessions))
        self.metrics.disk.set(total)
        return total
