"""The panel on the left: model, sketch, references, and the marks of where colors came from."""

from __future__ import annotations

from typing import Any

from nicegui import ui

from irodori.data.index import PART_NAMES
from irodori.web.store import Picture
from irodori.web.studio.desk import INPUTS, RESULT, Desk
from irodori.web.studio.elements import Picker, button, heading, note, select_field

SYSTEM_NOTES = {
    "irodori": "tags, palette",
    "scft": "references alone",
    "csft": "references alone",
    "cnf": "references alone",
    "taggan": "tags",
    "colorizediffusion": "words, masks, steps",
}


class Sources:
    """Builds itself, and again whenever inputs change."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.marks: list[Any] = []
        with ui.element("aside").classes("panel left").props('aria-label="Sources"'):
            self.body = ui.element("div").classes("scroll")
        desk.listen(INPUTS, self.build)
        desk.listen(RESULT, self.mark)
        self.build()

    def build(self) -> None:
        """Everything of the panel."""
        self.body.clear()
        inputs = self.desk.session.inputs
        with self.body:
            self._model()
            heading("Sketch")
            if inputs.sketch:
                with ui.element("div").classes("picture").props("data-drop=sketch"):
                    _image(self._address("sketch.png", inputs.sketch), "The sketch")
            Picker("sketch", "Replace sketch" if inputs.sketch else "Choose sketch")
            heading("References")
            self.marks = [self._reference(index, picture) for index, picture in enumerate(inputs.references)]
            if not inputs.references:
                note("Without one, the model colors from memory.")
            Picker("reference", "Add reference")
        self.mark()

    def _model(self) -> None:
        known = self.desk.service.models.known
        heading("Model")
        select_field("Model", {name: name for name in known}, self.desk.session.inputs.model, self._choose_model)
        note(f"Takes {SYSTEM_NOTES.get(self.desk.system, ', '.join(sorted(self.desk.takes)) or 'reference alone')}.")

    async def _choose_model(self, name: str) -> None:
        self.desk.service.set_model(self.desk.session, name)
        await self.desk.inputs_changed()

    def _reference(self, index: int, picture: Picture) -> Any:
        name = f"Reference {index + 1}"
        with ui.element("div").classes("picture reference").props("data-drop=reference"):
            _image(self._address(f"references/{index}.png", picture), name)
            mark = ui.element("div").classes("mark").props('aria-hidden="true"')
        with ui.element("div").classes("line"):
            options = {"": "All parts"} | {part: part.capitalize() for part in PART_NAMES}
            select_field(f"{name} is for", options, picture.part, lambda part, index=index: self._name(index, part))
            button("Remove", lambda index=index: self._remove(index), label=f"Remove reference {index + 1}")
        return mark

    def _address(self, rest: str, picture: Picture) -> str:
        return f"{self.desk.url(rest)}?{picture.path.stem}"  # another picture under the same address is another one

    async def _name(self, index: int, part: str) -> None:
        self.desk.service.name_reference(self.desk.session, index, part)
        await self.desk.inputs_changed()

    async def _remove(self, index: int) -> None:
        self.desk.service.remove_reference(self.desk.session, index)
        await self.desk.inputs_changed()

    def mark(self) -> None:
        """Shows where in the references a color came from."""
        origin = self.desk.origin
        for index, mark in enumerate(self.marks):
            here = origin is not None and origin["reference"] == index
            if here and origin is not None and index < len(self.desk.session.inputs.references):
                height, width = self.desk.session.inputs.references[index].size
                left, top = 100 * (origin["rx"] + 0.5) / width, 100 * (origin["ry"] + 0.5) / height
                mark.style(f"left: {left:.2f}%; top: {top:.2f}%")
            mark.classes(add="shown" if here else "", remove="" if here else "shown")


def _image(address: str, name: str) -> None:
    ui.element("img").props(f'src="{address}" alt="{name}" draggable=false')
