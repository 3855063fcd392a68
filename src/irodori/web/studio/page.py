"""The page: bar, sources, easel, history, steering; and how a browser finds its work again."""

from __future__ import annotations

from pathlib import Path
from secrets import token_urlsafe

from fastapi import FastAPI
from nicegui import app as nicegui_app
from nicegui import ui
from nicegui.element import Element

from irodori.web.errors import MissingError
from irodori.web.service import KINDS, Service
from irodori.web.store import Session
from irodori.web.studio.desk import INPUTS, RESULT, WISH, Desk
from irodori.web.studio.elements import Easel, button, color_field, set_props
from irodori.web.studio.sources import Sources
from irodori.web.studio.steering import Steering

WATCH = 0.3
"""Seconds between two looks at how far a coloring is."""
STYLE = Path(__file__).parent / "studio.css"
ICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="6" fill="#26282b"/>'
    '<path d="M7 25 25 7" stroke="#fff" stroke-width="3" stroke-linecap="round"/><circle cx="22" cy="22" r="4" '
    'fill="#2f8f83"/></svg>'
)
TOOLS = {
    "move": ("Move", "H"), "hint": ("Hint", "B"), "erase": ("Erase", "E"), "pick": ("Pick", "I"),
    "source": ("Source", "S"), "mask": ("Mask", "M"),
}  # fmt: skip
SHORTCUTS = {
    "H, B, E, I, S, M": "Tools: move, hint, erase a hint, pick a color, source of a color, mask",
    "Ctrl+Z, Ctrl+Shift+Z": "Undo, redo",
    "Ctrl+S": "Download as PNG",
    "W": "Compare sketch and coloring; arrow keys move the divider",
    "Space": "Held on the picture: the sketch alone; with the pointer: move",
    "Wheel, +, −": "Zoom",
    "0, 1": "Whole picture, actual pixels",
    "Arrow keys, Enter": "On the picture: move the cursor, use the tool there",
    "[ and ]": "Thinner and thicker brush",
    "Right click": "Remove the hint under the pointer",
    "Esc": "Stop the coloring that runs",
    "?": "This list",
}
FORMATS = {
    "png": "PNG", "webp": "WebP", "jpeg": "JPEG", "ora": "OpenRaster, layers", "psd": "Photoshop, layers",
    "json": "Recipe, JSON",
}  # fmt: skip


def add_studio(app: FastAPI, service: Service) -> None:
    """Puts the page onto an application, once in a process."""

    @ui.page("/", title="irodori")
    def page() -> None:
        Studio(service, _session_of(service, str(nicegui_app.storage.browser["id"])))

    ui.run_with(
        app, title="irodori", favicon=ICON, dark=None, tailwind=False, storage_secret=token_urlsafe(32),
        show_welcome_message=False, reconnect_timeout=20, session_middleware_kwargs={"same_site": "strict"},
    )  # fmt: skip


_browsers: dict[str, str] = {}
"""Which session a browser works in, by the name that its signed cookie holds."""


def _session_of(service: Service, browser: str) -> Session:
    """The session of a browser, or a new one if it has none any more."""
    try:
        return service.store.get(_browsers.get(browser, ""))
    except MissingError:
        session = service.create()
        _browsers[browser] = session.id
        for other in [name for name, session_id in _browsers.items() if session_id not in service.store.sessions]:
            del _browsers[other]
        return session


class Studio:
    """One open page."""

    def __init__(self, service: Service, session: Session) -> None:
        self.desk = Desk(service, session)
        self.color = str(session.page.get("color", "#c8503c"))
        self.steps: dict[int, Element] = {}
        ui.add_css(STYLE)
        self.theme = ui.dark_mode(session.page.get("dark"))  # type: ignore[arg-type]
        self.dialog = _shortcuts()
        with ui.element("div").classes("studio"):
            self._bar()
            with ui.element("div").classes("middle"):
                Sources(self.desk)
                with ui.element("main").classes("center"):
                    self._tools()
                    self.easel = Easel().classes("grow")
                    self._listen()
                    self.history = ui.element("div").classes("history").props('role="list" aria-label="History"')
                    self._foot()
                Steering(self.desk)
        self.desk.say, self.desk.working = self._say, self._working
        self.desk.listen(INPUTS, self.show)
        self.desk.listen(RESULT, self.show)
        self.desk.listen(WISH, self.show)
        self.use(str(session.page.get("tool", "move")))
        self.show()

    # --- building

    def _bar(self) -> None:
        with ui.element("header").classes("bar"):
            ui.label("irodori").classes("brand")
            self.undo = button("Undo", lambda: self.desk.step(-1), label="Undo (Ctrl+Z)")
            self.redo = button("Redo", lambda: self.desk.step(1), label="Redo (Ctrl+Shift+Z)")
            ui.element("span").classes("grow")
            self.compare = button("Compare", lambda: self.command("compare"), label="Compare with the sketch (W)")
            with ui.element("details").classes("menu") as self.downloads:
                ui.html("Download", tag="summary", sanitize=False).classes("button primary")
                with ui.element("div").classes("menu-list"):
                    self.links = {kind: _link(FORMATS[kind]) for kind in KINDS}
            button("Theme", self.switch_theme, label="Theme: as the system, dark, light")
            button("Shortcuts", self.dialog.open, label="List of shortcuts (?)")
            button("Start over", self.start_over, label="End this work and begin with an empty page")

    def _tools(self) -> None:
        with ui.element("div").classes("tools").props('role="toolbar" aria-label="Tools"'):
            self.tools = {
                name: button(text, lambda name=name: self.use(name), label=f"{text} ({key})", kind="tool")
                for name, (text, key) in TOOLS.items()
            }
            ui.element("span").classes("grow")
            self.field = color_field(self.color, "Color of hints", self.take_color)
            self.code = ui.label(self.color).classes("code")
            for text, label, method in (
                ("−", "Zoom out (-)", "out"), ("+", "Zoom in (+)", "in"), ("Fit", "Whole picture (0)", "fit"),
                ("1:1", "Actual pixels (1)", "actual"),
            ):  # fmt: skip
                button(text, lambda method=method: self._zoom(method), label=label, kind="tool")

    def _foot(self) -> None:
        with ui.element("div").classes("line foot"):
            self.status = ui.label("").classes("status grow").props('role="status" aria-live="polite"')
            self.stop = button("Stop", self.desk.stop, label="Stop coloring (Esc)").classes("hidden")
        self.watch = ui.timer(WATCH, self._show_progress, active=False)

    def _listen(self) -> None:
        easel, desk = self.easel, self.desk
        easel.on("hint", lambda event: desk.add_hints(event.args["points"], event.args["color"]))
        easel.on("erase", lambda event: desk.remove_hint(event.args["index"]))
        easel.on("pick", lambda event: self.take_color(event.args["color"]))
        easel.on("origin", lambda event: desk.look_up(event.args))
        easel.on("tool", lambda event: self.use(event.args["name"]))
        easel.on("command", lambda event: self.command(event.args["name"]))
        easel.on("sent", desk.inputs_changed)
        easel.on("masked", self._masked)
        easel.on("refused", lambda event: self._say(event.args["sentence"], True))

    # --- showing

    def show(self) -> None:
        """The easel, the history and the buttons as the session is now."""
        desk, session = self.desk, self.desk.session
        sketch, entry, page = session.inputs.sketch, desk.entry, session.page
        fits = entry is not None and entry.inputs.sketch == sketch
        tool, masking = str(page.get("tool", "move")), desk.masking
        on_sketch = masking == "sketch" or tool != "mask"
        shown = sketch if on_sketch else session.inputs.references[0]
        address = "sketch.png" if on_sketch else "references/0.png"
        self.easel.show(
            session=session.id,
            sketch=f"{desk.url(address)}?{shown.path.stem}" if shown else "",
            result=desk.url(f"results/{entry.number}.png") if entry and fits and on_sketch else "",
            number=entry.number if entry else 0,
            width=shown.size[1] if shown else 0,
            height=shown.size[0] if shown else 0,
            hints=[hint.model_dump() for hint in desk.wish.hints] if on_sketch else [],
            tool=tool,
            color=self.color,
            brush=page.get("brush", 24),
            comparing=bool(page.get("comparing")) and on_sketch,
            masking=masking,
            mask=desk.mask_address if tool == "mask" else "",
            source=desk.origin if on_sketch else None,
        )
        past = desk.timeline
        place = past.index(entry.number) if entry and entry.number in past else 0
        set_props(self.undo, disabled=place == 0)
        set_props(self.redo, disabled=place >= len(past) - 1)
        set_props(self.compare, aria_pressed="true" if page.get("comparing") else "false")
        self._show_history(past)
        self._show_files()

    def _show_history(self, past: list[int]) -> None:
        """Only what has changed is built: a slider that moves brings many results."""
        for number in [number for number in self.steps if number not in past]:
            self.steps.pop(number).delete()
        with self.history:
            for number in [number for number in past if number not in self.steps]:
                self.steps[number] = self._step(number)
        for place, number in enumerate(past):
            shown = self.desk.entry is not None and number == self.desk.entry.number
            set_props(self.steps[number], aria_label=f"Step {place + 1}", aria_current="true" if shown else "false")

    def _step(self, number: int) -> Element:
        step = ui.element("button").classes("step").props("type=button")
        step.on("click", lambda: self.desk.go(number))
        with step:
            ui.element("img").props(f'src="{self.desk.url(f"results/{number}/thumbnail.png")}" alt=""')
        return step

    def _show_files(self) -> None:
        entry = self.desk.entry
        set_props(self.downloads, disabled=None if entry else "")
        for kind, link in self.links.items():
            if entry is not None:
                address = self.desk.url(f"results/{entry.number}.{kind}")
                set_props(link, href=address, download=f"irodori-{entry.number}.{kind}")

    def _say(self, sentence: str, is_error: bool) -> None:
        self.status.text = sentence
        self.status.classes(add="error" if is_error else "", remove="" if is_error else "error")

    def _working(self, busy: bool) -> None:
        self.easel.show(busy=busy, progress=0)
        self.watch.active = busy
        if not busy:
            self.stop.classes(add="hidden")

    def _show_progress(self) -> None:
        """What takes long says how far it is; most colorings are there before the first look."""
        progress = self.desk.progress
        if progress.ahead:
            self._say(f"Waiting: {progress.ahead} before this one.", False)
        elif progress.steps:
            self._say(f"Step {progress.done + 1} of {progress.steps}.", False)
            self.easel.show(progress=progress.done / progress.steps)
        self.stop.classes(remove="hidden")

    # --- doing

    def use(self, tool: str) -> None:
        """Takes a tool into the hand."""
        if tool == "mask" and "masks" not in self.desk.takes:
            self._say(f"{self.desk.session.inputs.model} takes no masks: models of ColorizeDiffusion do.", True)
            return
        self.desk.session.page["tool"] = tool
        for name, one in self.tools.items():
            set_props(one, aria_pressed="true" if name == tool else "false")
        self.show()

    def take_color(self, color: str) -> None:
        """The color of the next hints."""
        self.color = self.desk.session.page["color"] = color
        set_props(self.field, value=color)
        self.code.text = color
        self.easel.show(color=color)

    def command(self, name: str) -> None:
        """What a shortcut or a button asks for."""
        page = self.desk.session.page
        if name in ("undo", "redo"):
            self.desk.step(-1 if name == "undo" else 1)
        elif name == "compare":
            page["comparing"] = not page.get("comparing")
            self.show()
        elif name in ("thinner", "thicker"):
            size = int(str(page.get("brush", 24)))
            page["brush"] = min(max(size * (4 if name == "thicker" else 2) // 3, 4), 200)
            self.easel.show(brush=page["brush"])
        elif name == "stop":
            self.desk.stop()
        elif name == "help":
            self.dialog.open()
        elif name == "save" and self.desk.entry:
            number = self.desk.entry.number
            ui.download.from_url(self.desk.url(f"results/{number}.png"), f"irodori-{number}.png")

    def _zoom(self, how: str) -> None:
        if how in ("in", "out"):
            self.easel.run_method("zoom", 1.5 if how == "in" else 1 / 1.5)
        else:
            self.easel.run_method(how)

    async def _masked(self) -> None:
        """A mask was painted and sent."""
        masks = self.desk.wish.masks
        values = masks.model_dump() if masks else {}
        await self.desk.ask("mask", masks={**values, self.desk.masking: "painted"})
        self.desk.tell(WISH)

    def switch_theme(self) -> None:
        """To the next of: as the system has it, dark, light."""
        following = {None: True, True: False, False: None}
        self.theme.value = self.desk.session.page["dark"] = following[self.theme.value]
        self._say({None: "As the system.", True: "Dark.", False: "Light."}[self.theme.value], False)

    def start_over(self) -> None:
        """Ends the session; the page loads again with an empty one."""
        self.desk.service.store.remove(self.desk.session.id)
        ui.navigate.reload()


def _link(text: str) -> Element:
    link = ui.element("a").classes("button")
    link._text = text
    return link


def _shortcuts() -> ui.dialog:
    with ui.dialog() as dialog, ui.element("div").classes("sheet"):
        ui.html("Shortcuts", tag="h1", sanitize=False)
        with ui.element("dl"):
            for keys, text in SHORTCUTS.items():
                ui.html(keys, tag="dt", sanitize=False)
                ui.html(text, tag="dd", sanitize=False)
        button("Close", dialog.close, kind="primary")
    return dialog
