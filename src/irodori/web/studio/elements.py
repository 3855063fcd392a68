"""The page's own elements, whose programs lie beside this file, and small ones made of the browser's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nicegui import ui
from nicegui.element import Element

Handler = Callable[..., Any]


class Easel(Element, component="easel.js"):
    """The picture: view, tools, comparison, files dropped on it."""

    def show(self, **props: Any) -> None:
        """Sets properties of ``easel.js``; what stays the same is not sent again."""
        changed = {name: value for name, value in props.items() if self._props.get(name) != value}
        if changed:
            self._props.update(changed)
            self.update()


class Picker(Element, component="picker.js"):
    """A button that asks for picture files.  kind: sketch or reference."""

    def __init__(self, kind: str, label: str) -> None:
        super().__init__()
        self._props.update(kind=kind, label=label)


def set_props(element: Element, **props: Any) -> None:
    """Sets properties that are no text, such as booleans, and names with underscores for hyphens."""
    named = {name.rstrip("_").replace("_", "-"): value for name, value in props.items()}
    if any(element._props.get(name) != value for name, value in named.items()):
        element._props.update(named)
        element.update()


def button(text: str, action: Handler, *, label: str = "", kind: str = "") -> Element:
    """A plain button.  label: for screen readers and as a tip, if the text alone does not say it."""
    made = ui.element("button").classes(f"button {kind}").props("type=button")
    if label:
        made._props.update({"aria-label": label, "title": label})
    with made:
        ui.html(text, sanitize=False, tag="span")
    made.on("click", lambda: action())
    return made


def color_field(color: str, label: str, action: Handler) -> Element:
    """The browser's own color field; action gets ``#rrggbb`` when one was chosen."""
    field = ui.element("input").classes("color-field").props("type=color")
    field._props.update({"value": color, "aria-label": label, "title": label})
    field.on("change", lambda event: action(event.args), js_handler="(event) => emit(event.target.value)")
    return field


def heading(text: str) -> Element:
    """The title of a section of a panel."""
    return ui.html(text, sanitize=False, tag="h2").classes("heading")


def note(text: str) -> Element:
    """A quiet sentence."""
    return ui.label(text).classes("note")


def select_field(label: str, options: dict[str, str], value: str, action: Handler) -> Element:
    """The browser's own list; action gets the value that was chosen."""
    field = ui.element("select").classes("select")
    field._props.update({"aria-label": label, "value": value})
    with field:
        for key, text in options.items():
            option = ui.element("option")
            option._props.update({"value": key, "selected": key == value})
            option._text = text
    field.on("change", lambda event: action(event.args), js_handler="(event) => emit(event.target.value)")
    return field


def text_field(label: str, value: str, action: Handler, *, event: str = "change", options: str = "") -> Element:
    """One line of text; action gets it when it is done.  options: the id of a list of suggestions."""
    field = ui.element("input").classes("text")
    field._props.update({"value": value, "placeholder": label, "aria-label": label, "maxlength": 200})
    if options:
        field._props["list"] = options
    field.on(event, lambda given: action(given.args), js_handler="(event) => emit(event.target.value)")
    return field


def number_field(label: str, value: object, action: Handler, **limits: object) -> Element:
    """A number; action gets it as text, which is empty if there is none."""
    field = ui.element("input").classes("text number")
    field._props.update({"type": "number", "value": value, "aria-label": label, **limits})
    field.on("change", lambda event: action(event.args), js_handler="(event) => emit(event.target.value)")
    return field


def range_field(
    label: str, value: float, action: Handler, *, low: float = 0.0, high: float = 1.0, step: float = 0.01
) -> Element:
    """A slider; action gets its value while it moves, at most every 60 ms and the last one always."""
    field = ui.element("input").classes("range")
    field._props.update({"type": "range", "min": low, "max": high, "step": step, "value": value, "aria-label": label})
    emit = "(event) => emit(Number(event.target.value))"
    field.on("input", lambda event: action(float(event.args)), throttle=0.06, js_handler=emit)
    return field


def switch_field(text: str, value: bool, action: Handler) -> Element:
    """A box to tick, with its text."""
    with ui.element("label").classes("switch") as made:
        box = ui.element("input").props("type=checkbox")
        box._props["checked"] = value
        box.on("change", lambda event: action(bool(event.args)), js_handler="(event) => emit(event.target.checked)")
        ui.html(text, sanitize=False, tag="span")
    return made
