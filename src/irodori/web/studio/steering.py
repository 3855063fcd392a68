"""The panels on the right: tags, colors, words, and everything else that can be asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nicegui import background_tasks, ui

from irodori.web.studio.colors import Colors
from irodori.web.studio.desk import INPUTS, WISH, Desk
from irodori.web.studio.elements import (
    button,
    heading,
    note,
    number_field,
    range_field,
    select_field,
    set_props,
    switch_field,
    text_field,
)
from irodori.web.studio.words import Words

SURE = 0.6
"""From here on a tag that the model reads in a reference gets a slider."""
MOST_TAGS = 12
SIZES = ("64", "128", "192", "256", "384", "512", "768", "1024")
MASKED = {"sketch": "The sketch", "reference": "The first reference"}
LINES = {"keep": "Your lines", "model": "The model's", "none": "None"}


class Steering:
    """Tabs and their panels."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        panels = {"Tags": Tags, "Colors": Colors, "Words": Words, "More": More}
        with ui.element("aside").classes("panel right").props('aria-label="Steering"'):
            bar = ui.element("div").classes("tabs").props('role="tablist"')
            self.bodies: dict[str, Any] = {}
            self.tabs: dict[str, Any] = {}
            self.panels: dict[str, Any] = {}
            for name, panel in panels.items():
                with ui.element("div").classes("scroll").props(f'role="tabpanel" aria-label="{name}"') as body:
                    self.panels[name] = panel(desk)
                self.bodies[name] = body
            with bar:
                for name in panels:
                    tab = button(name, self._chooser(name), kind="tab").props('role="tab"')
                    self.tabs[name] = tab
        self.choose(str(desk.session.page.get("tab", "Tags")))

    def _chooser(self, name: str) -> Callable[[], None]:
        return lambda: self.choose(name)

    def choose(self, name: str) -> None:
        """Shows one panel."""
        self.desk.session.page["tab"] = name
        for other, body in self.bodies.items():
            body.classes(add="" if other == name else "hidden", remove="hidden" if other == name else "")
            set_props(self.tabs[other], aria_selected="true" if other == name else "false")
        if name == "Colors":
            self.panels[name].refresh()


class Tags:
    """Sliders for the tags that the model sees in the references, and for any other that is asked for."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.body = ui.element("div")
        self.read: dict[str, float] = {}
        self.known: tuple[str, ...] = ()
        self._last: Any = None
        desk.listen(INPUTS, self.refresh)
        desk.listen(WISH, self.build)
        self.build()
        self.refresh()

    def refresh(self) -> None:
        """Reads the references again, in the background, if they or the model are others."""
        inputs = self.desk.session.inputs
        seen = inputs.model, tuple(reference.path for reference in inputs.references)
        if seen != self._last:
            self._last = seen
            background_tasks.create(self._read(seen))

    async def _read(self, seen: Any) -> None:
        """A reading that took so long that the inputs are others by now is not shown."""
        desk = self.desk
        try:
            known = await desk.service.known_tags(desk.session) if "tags" in desk.takes else ()
            found: dict[str, float] = {}
            for index in range(len(desk.session.inputs.references) if known else 0):
                read = await desk.service.tags(desk.session, index)
                found |= {tag: max(value, found.get(tag, 0.0)) for tag, value in read.items()}
        except Exception as error:
            desk.fail(error)
            return
        if seen == self._last:
            self.known, self.read = known, {tag: value for tag, value in found.items() if value >= SURE}
            self.build()

    def build(self) -> None:
        """Everything of the panel."""
        self.body.clear()
        with self.body:
            if "tags" not in self.desk.takes:
                note(f"{self.desk.session.inputs.model} takes no tags. Choose irodori-base, or a model of TagGAN.")
                return
            heading("Ask for")
            with ui.element("datalist").props("id=known-tags"):
                for tag in self.known:
                    ui.element("option").props(f'value="{_readable(tag)}"')
            text_field("A tag, such as blue hair", "", self._add, options="known-tags")
            self._set()
            self._seen_tags()

    def _set(self) -> None:
        for tag, value in self.desk.wish.tags.items():
            with ui.element("div").classes("tag set"):
                ui.label(_readable(tag)).classes("name")
                button("Take back", lambda tag=tag: self._remove(tag), label=f"Take back {_readable(tag)}", kind="link")
                self._slider(tag, value)

    def _seen_tags(self) -> None:
        heading("Seen in the references")
        free = [tag for tag in self.read if tag not in self.desk.wish.tags]
        parts: dict[str, list[str]] = {}
        for tag in sorted(free, key=lambda tag: -self.read[tag])[:MOST_TAGS]:
            parts.setdefault(tag.rpartition("_")[2], []).append(tag)
        for part in sorted(parts):
            ui.html(part.capitalize(), tag="h3", sanitize=False).classes("part")
            for tag in parts[part]:
                self._seen(tag)
        if not free:
            note("Nothing more." if self.read else "Nothing yet: add a reference.")

    def _seen(self, tag: str) -> None:
        with ui.element("div").classes("tag"):
            ui.label(_readable(tag.rpartition("_")[0] or tag)).classes("name")
            ui.label(f"{self.read[tag]:.0%}").classes("share")
            self._slider(tag, self.read[tag])

    def _slider(self, tag: str, value: float) -> None:
        high = 3.0 if self.desk.system == "taggan" else 1.0

        async def change(strength: float) -> None:
            await self.desk.set_tag(tag, strength)

        range_field(_readable(tag), value, change, high=high).on("change", lambda: self.build())

    async def _add(self, text: str) -> None:
        if text.strip():
            await self.desk.set_tag(text.strip().replace(" ", "_"), 1.0)
            self.build()

    async def _remove(self, tag: str) -> None:
        await self.desk.set_tag(tag, None)
        self.build()


def _readable(tag: str) -> str:
    return tag.replace("_", " ")


class More:
    """Lines, size, seed, steps, masks."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.body = ui.element("div")
        desk.listen(WISH, self.build)
        self.build()

    def build(self) -> None:
        """Everything of the panel."""
        self.body.clear()
        wish = self.desk.wish
        with self.body:
            heading("Lines")
            select_field("Lines", LINES, wish.lines, self._asker("lines"))
            heading("Working size")
            sizes = {"": "The model's own"} | {size: f"{size} px" for size in SIZES}
            size = "" if wish.image_size is None else str(wish.image_size)
            select_field(
                "Working size", sizes, size, self._asker("image_size", lambda text: int(text) if text else None)
            )
            note("Larger sees finer detail, and takes longer. The result always has the sketch's size.")
            heading("Seed")
            number_field("Seed", wish.seed, self._asker("seed", lambda text: int(text or 0)), min=0, step=1)
            self._masks()
            self._sampling()

    def _asker(self, name: str, convert: Callable[[str], Any] = str) -> Callable[[str], Any]:
        async def ask(text: str) -> None:
            try:
                value = convert(text)
            except ValueError:
                self.desk.say(f"{text!r} is not a number", True)
                return
            await self.desk.ask(f"{name}", **{name: value})

        return ask

    def _masks(self) -> None:
        heading("Masks")
        if "masks" not in self.desk.takes:
            note(f"{self.desk.session.inputs.model} takes no masks. Models of ColorizeDiffusion do.")
            return
        masks = self.desk.wish.masks
        switch_field("Foreground and background apart", masks is not None, self._use_masks)
        if masks is None:
            return
        note("The figure is found, or painted with the Mask tool.")
        _named_select("The Mask tool paints", MASKED, self.desk.masking, self._choose_masking)
        for of, text in MASKED.items():
            sources = {"auto": "Find the figure"}
            if of in dict(self.desk.session.inputs.masks):
                sources["painted"] = "As painted"
            _named_select(f"Mask of {text.lower()}", sources, getattr(masks, of), self._mask_asker(of))
            name = f"{of}_threshold"
            _labeled(name.replace("_", " ").capitalize(), getattr(masks, name), self._mask_asker(name))

    def _choose_masking(self, of: str) -> None:
        self.desk.session.page["masking"] = of
        self.desk.tell(WISH)

    def _mask_asker(self, name: str) -> Callable[[Any], Any]:
        async def ask(value: Any) -> None:
            masks = self.desk.wish.masks
            if masks is not None:
                await self.desk.ask(f"masks {name}", masks=masks.model_copy(update={name: value}))

        return ask

    async def _use_masks(self, wanted: bool) -> None:
        await self.desk.ask(masks={} if wanted else None)
        self.build()

    def _sampling(self) -> None:
        if "sampling" not in self.desk.takes:
            return
        heading("Steps")
        given = self.desk.wish.sampling
        for name, convert in {"num_steps": int, "guidance_scale": float, "reference_strength": float}.items():
            ui.label(name.replace("num_", "").replace("_", " ").capitalize()).classes("note")
            value = "" if given is None else getattr(given, name) or ""
            number_field(name, value, self._sampling_asker(name, convert), step="any")

    def _sampling_asker(self, name: str, convert: Callable[[str], Any]) -> Callable[[str], Any]:
        async def ask(text: str) -> None:
            given = self.desk.wish.sampling
            values = {} if given is None else given.model_dump()
            await self.desk.ask(sampling={**values, name: convert(text) if text else None})

        return ask


def _named_select(text: str, options: dict[str, str], value: str, action: Callable[[str], Any]) -> None:
    ui.label(text).classes("note")
    select_field(text, options, value, action)


def _labeled(text: str, value: float, action: Callable[[Any], Any]) -> None:
    with ui.element("div").classes("tag plain"):
        ui.label(text).classes("name")
        range_field(text, value, action)
