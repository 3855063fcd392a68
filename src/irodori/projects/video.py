"""Frames out of video files and into them, by the program ffmpeg where it is installed."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

from irodori.errors import InputError
from irodori.image_io import list_images, write_whole
from irodori.inference.batch import content_hash
from irodori.inference.plan import check_folder

CODECS = {
    ".mp4": ("libx264", "-crf", "16", "-movflags", "+faststart"),
    ".mov": ("libx264", "-crf", "16"),
    ".mkv": ("libx264", "-crf", "16"),
    ".webm": ("libvpx-vp9", "-crf", "24", "-b:v", "0"),
}
"""Suffix of a video file and how its pictures are coded."""
NOTE = "video.json"
"""In a folder of frames: which video they were taken from."""


def take_frames(video: Path, folder: Path) -> tuple[list[Path], float]:
    """The frames of a video as PNG files in a folder, in their order, and their rate in frames per second.

    Those that are there already, from the same video, are taken again.
    Raises InputError without ffmpeg, and for a file that it cannot read.
    """
    note = folder / NOTE
    source = content_hash(video)
    known = _read_note(note)
    if known.get("video_sha256") != source or known.get("count") != len(list_images(folder)):
        shutil.rmtree(folder, ignore_errors=True)
        check_folder(folder)
        pattern = str(folder / "%06d.png")
        _run("ffmpeg", "-nostdin", "-v", "error", "-i", str(video), pattern, about=video)
        rate = _frame_rate(video)
        known = {"video_sha256": source, "count": len(list_images(folder)), "frame_rate": rate}
        write_whole(note, json.dumps(known).encode())
    files = list_images(folder)
    if not files:
        raise InputError(f"{video} has no frames: check that it is a video")
    return files, float(known["frame_rate"])


def _read_note(path: Path) -> dict[str, float | str]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _frame_rate(video: Path) -> float:
    words = ("-v", "error", "-select_streams", "v:0", "-show_entries", "stream=r_frame_rate", "-of", "csv=p=0")
    text = _run("ffprobe", *words, str(video), about=video).strip().strip(",")
    try:
        return float(Fraction(text))
    except (ValueError, ZeroDivisionError):
        raise InputError(f"{video} does not tell its frame rate: give frame_rate in the project file") from None


def join_frames(frames: Sequence[Path], video: Path, frame_rate: float) -> None:
    """Writes pictures of one size as a video, whole or not at all; InputError when that cannot be done."""
    codec = CODECS.get(video.suffix.lower())
    if codec is None:
        raise InputError(f"{video} is no video that can be written: use one of {' '.join(CODECS)}")
    check_folder(video.parent)
    temporary = video.with_name(f".irodori-{secrets.token_hex(8)}{video.suffix}")
    with tempfile.TemporaryDirectory() as folder:
        for number, frame in enumerate(frames, start=1):
            os.symlink(frame.resolve(), Path(folder) / f"{number:06d}{frame.suffix}")
        pictures = str(Path(folder) / f"%06d{frames[0].suffix}")
        even = "pad=ceil(iw/2)*2:ceil(ih/2)*2"  # the usual codecs take no odd sizes
        coding = ("-c:v", *codec, "-pix_fmt", "yuv420p", "-vf", even)
        try:
            _run(
                "ffmpeg", "-nostdin", "-v", "error", "-framerate", f"{frame_rate:g}", "-i", pictures, *coding,
                str(temporary), about=video,
            )  # fmt: skip
            os.replace(temporary, video)
        finally:
            temporary.unlink(missing_ok=True)


def _run(program: str, *arguments: str, about: Path) -> str:
    path = shutil.which(program)
    if path is None:
        raise InputError(
            f"{about} is a video, for which the program {program} is needed: install ffmpeg (apt install ffmpeg, brew "
            "install ffmpeg, winget install ffmpeg), or give the frames as pictures"
        )
    done = subprocess.run([path, *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        reason = " ".join(done.stderr.split())[-200:] or f"{program} ended with code {done.returncode}"
        raise InputError(f"{about} cannot be read or written as a video ({reason}): check the file")
    return done.stdout
