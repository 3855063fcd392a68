"""The panel of edits in words: targets, thresholds, and the map of where they take effect."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

from nicegui import ui

from irodori.web.schemas import TextWish
from irodori.web.studio.desk import WISH, Desk
from irodori.web.studio.elements import button, heading, note, range_field, switch_field, text_field

FIELDS = {"target": "Target, such as red hair", "anchor": "Now, such as black hair", "control": "Where, such as hair"}
EMPTY = {
    "target": "",
    "anchor": "",
    "control": "",
    "scale": 8.0,
    "enhance": False,
    "thresholds": (0.5, 0.55, 0.65, 0.95),
}


class Words:
    """Edits are drafted here, and asked for with Apply."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.body = ui.element("div")
        self.drafts: list[dict[str, Any]] = []
        desk.listen(WISH, self.start)
        self.start()

    def start(self) -> None:
        """From the edits as they are asked for."""
        self.drafts = [edit.model_dump() for edit in self.desk.wish.text] or [dict(EMPTY)]
        self.build()

    def build(self) -> None:
        """Everything of the panel."""
        self.body.clear()
        with self.body:
            if "text" not in self.desk.takes:
                note(f"{self.desk.session.inputs.model} takes no words: models of ColorizeDiffusion do.")
                note("With this one, use tags, hints or the palette.")
                return
            for number, draft in enumerate(self.drafts):
                self._edit(number, draft)
            with ui.element("div").classes("line"):
                button("One more", self._more)
                button("Show regions", self._show)
                button("Apply", self._apply, kind="primary")
            self.map = ui.element("div").classes("picture")

    def _edit(self, number: int, draft: dict[str, Any]) -> None:
        heading(f"Edit {number + 1}")
        for name, label in FIELDS.items():
            text_field(label, draft[name], self._setter(draft, name))
        ui.label("Strength").classes("note")
        range_field("Strength", draft["scale"], self._setter(draft, "scale"), high=15, step=0.5)
        switch_field("Remove first what is there now", draft["enhance"], self._setter(draft, "enhance"))
        ui.label("Thresholds: from untouched to wholly changed").classes("note")
        for place, value in enumerate(draft["thresholds"]):
            range_field(f"Threshold {place + 1}", value, self._threshold(draft, place))
        if len(self.drafts) > 1:
            button("Remove this edit", lambda: self._remove(number), kind="link")

    def _setter(self, draft: dict[str, Any], name: str) -> Callable[[Any], None]:
        def set_value(value: Any) -> None:
            draft[name] = value

        return set_value

    def _threshold(self, draft: dict[str, Any], place: int) -> Callable[[float], None]:
        def set_value(value: float) -> None:
            thresholds = list(draft["thresholds"])
            thresholds[place] = value
            draft["thresholds"] = tuple(thresholds)

        return set_value

    def _more(self) -> None:
        self.drafts.append(dict(EMPTY))
        self.build()

    def _remove(self, number: int) -> None:
        del self.drafts[number]
        self.build()

    def _given(self) -> list[dict[str, Any]]:
        return [draft for draft in self.drafts if draft["target"].strip()]

    async def _apply(self) -> None:
        await self.desk.ask(text=self._given())

    async def _show(self) -> None:
        """The reference, tinted by what the thresholds separate."""
        given = self._given()
        if not given:
            self.desk.say("write a target first, such as red hair", True)
            return
        try:
            texts = tuple(TextWish.model_validate(draft) for draft in given)
            content = await self.desk.service.heatmap(self.desk.session, texts)
        except Exception as error:
            self.desk.fail(error)
            return
        self.map.clear()
        with self.map:
            address = f"data:image/png;base64,{base64.b64encode(content).decode()}"
            ui.element("img").props(f'src="{address}" alt="Regions of the reference, from untouched to changed"')
