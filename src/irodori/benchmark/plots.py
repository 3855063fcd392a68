"""Curves as inline SVG that takes its text color from the page around it."""

from __future__ import annotations

import html
import io
import re
from collections.abc import Mapping, Sequence
from typing import Any

from irodori.errors import ConfigError

COLORS = (
    *("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8a7a00"),
    *("#7d6bc4", "#a0522d", "#6b7785", "#2aa5a0", "#c2185b"),
)
"""The first six are those of Okabe and Ito (2008), told apart with all kinds of color vision."""
DASHES = {"baseline": (0, (4, 2)), "system": "solid", "images": "solid"}
MARKERS = "osD^vPX*"
_INK = "#010203"  # stands for the page's text color until the picture is done

Points = Sequence[Sequence[float]]


def color_of(number: int) -> str:
    """The color of the n-th method, everywhere on the page."""
    return COLORS[number % len(COLORS)]


def curves(title: str, x_label: str, lines: Mapping[str, Points], methods: Mapping[str, tuple[int, str]]) -> str:
    """An ``<svg>`` with a line for each method through ``[position, mean, low, high]``, intervals as bands.

    methods: number of each method on the page and its kind, which decide color, marker and dashes.
    """
    figure = _figure()
    axes = figure.add_subplot()
    for name, points in lines.items():
        x, mean, low, high = zip(*points, strict=True)
        number, kind = methods[name]
        color, marker = color_of(number), MARKERS[number % len(MARKERS)]
        axes.plot(x, mean, color=color, marker=marker, markersize=4, linestyle=DASHES[kind], label=name)
        axes.fill_between(x, low, high, color=color, alpha=0.13, linewidth=0)
    axes.set_title(title, loc="left", fontsize=10, color=_INK)
    axes.set_xlabel(x_label, fontsize=9, color=_INK)
    _quiet(axes)
    return _as_svg(figure, f"{title} against {x_label}, one line for each method")


def _figure() -> Any:
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ConfigError("the report needs matplotlib: pip install 'irodori[benchmark]'") from error
    return Figure(figsize=(4.2, 2.9), layout="constrained")


def _quiet(axes: Any) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(_INK)
    axes.tick_params(colors=_INK, labelsize=8)
    axes.grid(axis="y", color=_INK, alpha=0.12, linewidth=0.6)
    axes.patch.set_visible(False)


def _as_svg(figure: Any, description: str) -> str:
    import matplotlib

    buffer = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "irodori", "font.family": "sans-serif"}):
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    return inline(buffer.getvalue(), description)


def inline(svg: str, description: str) -> str:
    """A file's ``<svg>`` for use within HTML: no prolog, no metadata, no namespaces, nothing that asks the network."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<(metadata|style)\b.*?</\1>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'\s(xmlns(:\w+)?|version)="[^"]*"', "", svg)
    svg = re.sub(r'<g id="[^"]*"', "<g", svg)  # the same in every picture of the page
    svg = re.sub(r" ?font-family: [^;\"]*;", "", svg).replace("xlink:href", "href").replace(_INK, "currentColor")
    return svg.replace("<svg", f'<svg role="img" aria-label="{html.escape(description)}"', 1)
