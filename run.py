"""Sets the project up in `.venv` and runs it: `python3 run.py demo` or `python3 run.py test [pytest arguments]`.

Needs Python 3.11 or newer and nothing else.  The second run starts at once: a stamp in `.venv` says what is installed.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
STAMP = VENV / "irodori-installed.txt"
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
TARGETS = {"demo": ".", "test": ".[dev]"}


def run(*command: str) -> None:
    """Runs a command in the root; its failure ends this program with the same exit code."""
    code = subprocess.run(command, cwd=ROOT, check=False).returncode
    if code:
        sys.exit(code if code > 0 else 128 - code)


def create_venv() -> None:
    try:
        run(sys.executable, "-m", "venv", "--clear", str(VENV))
    except BaseException:  # half an environment, without pip, would pass for a whole one next time
        shutil.rmtree(VENV, ignore_errors=True)
        raise


def pip_install(*arguments: str) -> None:
    options = ["-qq", "--disable-pip-version-check", "-c", "constraints.txt"]
    run(str(PYTHON), "-m", "pip", "install", *options, *arguments)


def cpu_torch_options() -> list[str]:
    """On Linux without an NVIDIA GPU, PyTorch's CPU index: PyPI's torch would bring gigabytes of CUDA libraries.

    The index is asked first, because pip tries an unreachable one for long before it goes on without.
    """
    has_gpu = shutil.which("nvidia-smi") or Path("/proc/driver/nvidia").exists()
    if not sys.platform.startswith("linux") or has_gpu:
        return []
    try:
        urllib.request.urlopen(f"{CPU_INDEX}/torch/", timeout=3).close()
    except OSError:
        return []
    return ["--extra-index-url", CPU_INDEX]


def install(command: str) -> None:
    """Makes `.venv` ready for the command, unless the stamp says that it is."""
    files = b"".join((ROOT / name).read_bytes() for name in ("pyproject.toml", "constraints.txt"))
    digest = hashlib.sha256(files).hexdigest()
    # What serves the tests serves the demo as well.
    if PYTHON.exists() and STAMP.exists() and STAMP.read_text() in {f"{digest} {command}", f"{digest} test"}:
        return
    print("Installing into .venv; the first time this takes a few minutes.", flush=True)
    STAMP.unlink(missing_ok=True)
    if not PYTHON.exists():
        create_venv()
    import tomllib  # here, because older versions of Python get this far only to be told so

    dependencies = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    pip_install(*cpu_torch_options(), *(name for name in dependencies if name.startswith("torch")))
    pip_install("-e", TARGETS[command])
    STAMP.write_text(f"{digest} {command}")


def main() -> None:
    if sys.version_info < (3, 11):  # noqa: UP036 - this file is run before anything is installed
        sys.exit(f"Python 3.11 or newer is needed, this is {sys.version.split()[0]}: run it with a newer python3.")
    command, *arguments = sys.argv[1:] or [""]
    if command not in TARGETS or (command == "demo" and arguments):
        sys.exit("Use: python3 run.py demo, or python3 run.py test [pytest arguments]")
    install(command)
    if command == "test":
        os.environ.setdefault("OMP_NUM_THREADS", "1")  # more threads only fight over cores in tests this small
        run(str(PYTHON), "-m", "pytest", *arguments)
    else:
        references = ("--reference", "examples/references")
        run(str(PYTHON), "-m", "irodori", "colorize", "examples/sketches", *references, "-o", "demo")
        print(f"The colored drawings are in {ROOT / 'demo'}")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
