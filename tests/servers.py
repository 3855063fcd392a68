"""Small pictures, and requests that tests of the server make again and again."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from PIL import Image, ImageDraw
from starlette.testclient import TestClient


def drawing(width: int = 60, height: int = 40) -> Image.Image:
    """A page with a box and a circle in it, drawn with lines."""
    page = Image.new("RGB", (width, height), "white")
    pen = ImageDraw.Draw(page)
    pen.rectangle((6, 6, width - 7, height - 7), outline="black", width=2)
    pen.ellipse((width // 3, height // 4, 2 * width // 3, 3 * height // 4), outline="black", width=2)
    return page


def colors(seed: int = 0, width: int = 48, height: int = 48) -> Image.Image:
    """A picture of four flat colors."""
    levels = np.random.default_rng(seed).integers(0, 256, (2, 2, 3), np.uint8)
    return Image.fromarray(levels.repeat(height // 2, 0).repeat(width // 2, 1))


def file_of(image: Image.Image, format: str = "PNG", **options: Any) -> bytes:
    """A picture as the content of a file."""
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def begin(client: TestClient, **data: Any) -> str:
    """The id of a new session with a sketch and a reference."""
    files = [("sketch", ("sketch.png", file_of(drawing()))), ("references", ("colors.png", file_of(colors())))]
    answer = client.post("/api/sessions", files=files, data=data)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def color(client: TestClient, session: str, **options: Any) -> dict[str, Any]:
    """A result of a session."""
    answer = client.post(f"/api/sessions/{session}/colorize", json=options)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def pixels(content: bytes) -> np.ndarray:
    """The content of a file as ``(H, W, 3)``."""
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))


def in_loop(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Runs a coroutine in a thread of its own: while a browser is open, this one has a loop that runs."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, coroutine).result()
