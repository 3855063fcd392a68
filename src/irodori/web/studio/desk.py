"""One open page: its session, what is on the easel, and the one way in which anything is colored again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from irodori.errors import IrodoriError
from irodori.web.errors import BROKEN, GoneError, logger, sentence_of
from irodori.web.schemas import ColorizeWish, HintWish
from irodori.web.service import Service
from irodori.web.store import Entry, Session
from irodori.web.worker import Progress

INPUTS, RESULT, WISH = "inputs", "result", "wish"
"""What listeners can be told has changed: pictures or model; the coloring; options, otherwise than by their panel."""


class Desk:
    """The controller of a page.  Panels call it, and listen to what it changes.

    The timeline holds the numbers of results in the order of work, `at` the place in it, as undo and redo move it.
    """

    def __init__(self, service: Service, session: Session) -> None:
        self.service, self.session = service, session
        self.busy = self._stopped = False
        self.progress = Progress()
        self.origin: dict[str, float] | None = None
        self._again: str | None = None
        self._good = session.wish
        self._listeners: dict[str, list[Callable[[], Any]]] = {INPUTS: [], RESULT: [], WISH: []}
        self.say: Callable[[str, bool], None] = lambda sentence, is_error: None
        self.working: Callable[[bool], None] = lambda busy: None

    # --- what is there

    @property
    def timeline(self) -> list[int]:
        """Numbers of results that are still there, the first one first."""
        kept = self.session.page.get("timeline", [])
        assert isinstance(kept, list)
        return [number for number in kept if number in self.session.entries]

    @property
    def entry(self) -> Entry | None:
        """The result that is shown."""
        number = self.session.page.get("shown")
        return self.session.entries.get(number) if isinstance(number, int) else None

    @property
    def wish(self) -> ColorizeWish:
        """The options as they are."""
        return self.session.wish

    @property
    def takes(self) -> set[str]:
        """The kinds of guidance that the model takes."""
        return set(self.service.models.known[self.session.inputs.model].takes)

    @property
    def system(self) -> str:
        """The system of the model."""
        return self.service.models.known[self.session.inputs.model].system

    @property
    def masking(self) -> str:
        """Whose foreground the Mask tool paints: sketch, or reference, which is the first one."""
        return (
            "reference"
            if self.session.page.get("masking") == "reference" and self.session.inputs.references
            else "sketch"
        )

    @property
    def mask_address(self) -> str:
        """The address of the mask that is painted now, empty before the first stroke."""
        path = dict(self.session.inputs.masks).get(self.masking)
        return f"{self.url(f'masks/{self.masking}.png')}?{path.stem}" if path else ""

    def url(self, rest: str) -> str:
        """The address of something of this session."""
        return f"/api/sessions/{self.session.id}/{rest}"

    # --- listening

    def listen(self, what: str, listener: Callable[[], Any]) -> None:
        """Calls a listener whenever something of a kind has changed."""
        self._listeners[what].append(listener)

    def tell(self, *kinds: str) -> None:
        """Tells listeners."""
        for kind in kinds:
            for listener in self._listeners[kind]:
                listener()

    # --- coloring

    async def ask(self, gesture: str = "", **changes: Any) -> None:
        """Other options, and the coloring with them.

        gesture: what is being moved; results of one gesture that follow each other are one step of the history.
        """
        try:
            self.session.wish = self.wish.changed(**changes)
        except ValueError as error:
            self.say(f"that cannot be used ({str(error).splitlines()[-2].strip()})", True)
            return
        await self.color(gesture)

    async def color(self, gesture: str = "") -> None:
        """Colors as wished now.

        While one coloring runs, only the newest wish is kept for the next; one in steps, which take long, makes room.
        """
        if self.session.inputs.sketch is None:
            return
        self._again = gesture
        if self.busy:
            return
        self.busy, self._stopped = True, False
        self.working(True)
        try:
            while self._again is not None:
                gesture, self._again = self._again, None
                await self._color_once(gesture)
        except Exception as error:  # what cannot be colored is not kept as a wish: the next one would fail with it
            self._again, self.session.wish = None, self._good
            self.tell(WISH)
            self.fail(error)
        finally:
            self.busy = False
            self.working(False)

    async def _color_once(self, gesture: str) -> None:
        self.progress = Progress()
        try:
            entry = await self.service.colorize(self.session, self.wish, self._unwanted, self.progress)
        except GoneError:
            if self._again is None:
                raise
        else:
            self._keep(entry, gesture)

    async def _unwanted(self) -> bool:
        """Whether nobody waits any more for the drawing that is made."""
        return self._stopped or (self._again is not None and self.progress.steps > 0)

    def stop(self) -> None:
        """Ends the coloring that runs, or waits; the one before stays."""
        if self.busy:
            self._again, self._stopped = None, True
            self.say("Stopped.", False)

    def _keep(self, entry: Entry, gesture: str) -> None:
        page, past = self.session.page, self.timeline
        shown = page.get("shown")
        past = past[: past.index(shown) + 1] if shown in past else past  # what was undone is gone now
        if gesture and past and page.get("gesture") == gesture:
            past.pop()
        dropped = set(self.session.entries) - {*past, entry.number}
        page |= {"timeline": [*past, entry.number], "shown": entry.number, "gesture": gesture}
        self.session.drop(dropped)
        self.origin, self._good = None, entry.wish
        self.tell(RESULT)
        queue = f"{entry.seconds * 1000:.0f} ms" if entry.seconds < 1 else f"{entry.seconds:.1f} s"
        self.say(" ".join([f"Colored in {queue}.", *entry.notices]), False)

    def fail(self, error: Exception) -> None:
        """Says what went wrong, in one sentence."""
        if isinstance(error, GoneError):
            return
        if not isinstance(error, IrodoriError) and sentence_of(error) == BROKEN:
            logger.error("the studio failed", exc_info=error)
        self.say(sentence_of(error), True)

    # --- history

    def go(self, number: int) -> None:
        """Shows a result of the timeline, with the inputs and options that it was made with."""
        entry = self.session.entry(number)
        self.session.restore(entry)
        self._good = entry.wish
        self.session.page |= {"shown": number, "gesture": ""}
        self.origin = None
        self.tell(INPUTS, WISH, RESULT)

    def step(self, by: int) -> None:
        """-1: undo, 1: redo."""
        past = self.timeline
        if self.entry is None or not past:
            return
        place = past.index(self.entry.number) + by
        if 0 <= place < len(past):
            self.go(past[place])

    # --- guidance

    async def add_hints(self, points: list[dict[str, float]], color: str) -> None:
        """Hints of one color at some places."""
        more = [HintWish(x=point["x"], y=point["y"], color=color) for point in points]
        await self.ask(hints=[*self.wish.hints, *more])

    async def remove_hint(self, index: int) -> None:
        """A hint less."""
        await self.ask(hints=[hint for place, hint in enumerate(self.wish.hints) if place != index])

    async def set_tag(self, name: str, value: float | None) -> None:
        """How strong a tag is to be; None: it is taken back."""
        tags = {other: strength for other, strength in self.wish.tags.items() if other != name}
        if value is not None:
            tags[name] = value
        await self.ask(f"tag {name}", tags=tags)

    async def replace_color(self, color: str, by: str) -> None:
        """Another color for all regions of one of the palette's."""
        if self.entry is None or color.lower() == by.lower():
            return
        try:
            hints = await self.service.replace(self.session, self.entry.number, color, by)
        except Exception as error:
            self.fail(error)
            return
        await self.ask(hints=hints)

    async def look_up(self, place: dict[str, float]) -> None:
        """Shows where the color of a place came from."""
        if self.entry is None:
            return
        try:
            found = await self.service.origin(self.session, self.entry.number, place["x"], place["y"])
        except Exception as error:
            self.fail(error)
            return
        self.origin = {"x": place["x"], "y": place["y"]} | {"reference": found.reference, "rx": found.x, "ry": found.y}
        self.tell(RESULT)
        self.say(f"From reference {found.reference + 1}, with {found.weight:.0%} of the attention.", False)

    # --- inputs

    async def inputs_changed(self) -> None:
        """Pictures, parts or the model are others: what the model does not take is left out, and all is colored."""
        kept = {
            "tags": self.wish.tags if "tags" in self.takes else {},
            "text": self.wish.text if "text" in self.takes else (),
            "masks": self.wish.masks if "masks" in self.takes else None,
            "sampling": self.wish.sampling if "sampling" in self.takes else None,
        }
        self.session.wish = self._good = self.wish.changed(**kept)
        self.tell(INPUTS, WISH)
        await self.color()
