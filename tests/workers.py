"""Work that other processes can import."""

from __future__ import annotations

import os

import cv2
import torch

from irodori.errors import InputError

BROKEN, DEADLY = -1, -2


def start() -> tuple[int, int]:
    """Threads of torch and OpenCV in this process."""
    return torch.get_num_threads(), cv2.getNumThreads()


def double(threads: tuple[int, int], item: int) -> tuple[int, tuple[int, int]]:
    """Twice the item, and the threads; `BROKEN` raises, `DEADLY` ends the process."""
    if item == BROKEN:
        raise InputError("this item is broken")
    if item == DEADLY:
        os._exit(1)
    return 2 * item, threads
