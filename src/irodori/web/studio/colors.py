"""The panel of colors: hints, flats, and the palette of the coloring."""

from __future__ import annotations

from nicegui import background_tasks, ui

from irodori.web.schemas import SwatchAnswer
from irodori.web.studio.desk import RESULT, WISH, Desk
from irodori.web.studio.elements import button, color_field, heading, note, switch_field

MOST_SWATCHES = 24


class Colors:
    """Builds itself, and again whenever the coloring changes."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self._swatches: list[SwatchAnswer] = []
        self._number = 0
        heading("Palette of the coloring")
        note("Click a color to give all its regions another one.")
        self.palette = ui.element("div").classes("swatches")
        heading("Flats")
        self.flats = ui.element("div")
        heading("Hints")
        self.hints = ui.element("div")
        desk.listen(RESULT, self.refresh)
        desk.listen(WISH, self.build)
        self.build()
        self.refresh()

    def refresh(self) -> None:
        """The palette of what is shown now, in the background."""
        self.build_hints()
        entry = self.desk.entry
        if self.desk.session.page.get("tab") != "Colors":  # reading a palette takes time on the one worker
            return
        if entry is not None and entry.number != self._number:
            background_tasks.create(self._read(entry.number))

    async def _read(self, number: int) -> None:
        if self.desk.busy:  # the next result comes with a palette of its own
            return
        try:
            self._swatches = await self.desk.service.palette(self.desk.session, number)
        except Exception:  # gone meanwhile: whatever is shown then has its own
            return
        self._number = number
        self.build_palette()

    def build_palette(self) -> None:
        """The swatches."""
        self.palette.clear()
        with self.palette:
            for swatch in self._swatches[:MOST_SWATCHES]:
                label = f"Replace {swatch.color}, {swatch.share:.1%} of the picture"
                color_field(swatch.color, label, self._replacer(swatch.color))

    def _replacer(self, color: str):  # type: ignore[no-untyped-def]
        async def replace(by: str) -> None:
            await self.desk.replace_color(color, by)

        return replace

    def build(self) -> None:
        """Everything but the palette."""
        self.flats.clear()
        with self.flats:
            switch_field("Flat regions in the reference's exact colors", self.desk.wish.snap, self._snap)
        self.build_hints()

    async def _snap(self, wanted: bool) -> None:
        await self.desk.ask(snap=wanted)

    def build_hints(self) -> None:
        """How many hints there are."""
        self.hints.clear()
        count = len(self.desk.wish.hints)
        with self.hints:
            if not count:
                note("Take the Hint tool and a color, then click into a region: it gets exactly that color.")
                return
            with ui.element("div").classes("line"):
                ui.label(f"{count} {'hint' if count == 1 else 'hints'}").classes("grow")
                button("Remove all", self._clear)

    async def _clear(self) -> None:
        await self.desk.ask(hints=())
