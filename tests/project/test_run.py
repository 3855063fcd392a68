"""The two commands that a newcomer types, and that everything else goes through them."""

import ast
import io
import os
import re
import runpy
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = (ROOT / "run.py").read_text(encoding="utf-8")
COMMANDS = {"python3 run.py demo", "python3 run.py test"}


@pytest.fixture
def project(tmp_path, monkeypatch):
    """`run.py` in an empty project, its commands recorded instead of run; the environment counts as built."""
    for name in ("run.py", "pyproject.toml", "constraints.txt"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    namespace = runpy.run_path(str(tmp_path / "run.py"), run_name="run")["main"].__globals__
    namespace["PYTHON"].parent.mkdir(parents=True)
    namespace["PYTHON"].touch()
    namespace["commands"] = commands = []
    namespace["run"] = lambda *command: commands.append(" ".join(command[1:]))
    namespace["cpu_torch_options"] = list
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    return namespace


def _call(project, monkeypatch, *arguments: str) -> list[str]:
    project["commands"].clear()
    monkeypatch.setattr(sys, "argv", ["run.py", *arguments])
    project["main"]()
    return list(project["commands"])


def test_it_is_short_and_needs_only_python():
    assert len(SOURCE.splitlines()) < 100
    nodes = list(ast.walk(ast.parse(SOURCE)))
    imported = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
    assert {name.split(".")[0] for name in imported} <= sys.stdlib_module_names


def test_it_parses_on_old_versions_that_must_be_told_so():
    ast.parse(SOURCE, feature_version=(3, 7))


def test_old_versions_are_told_so(project, monkeypatch):
    monkeypatch.setattr(sys, "version_info", (3, 10, 0))
    with pytest.raises(SystemExit, match=r"Python 3\.11 or newer is needed"):
        _call(project, monkeypatch, "demo")


@pytest.mark.parametrize("arguments", [(), ("help",), ("demo", "more")])
def test_wrong_use_names_the_commands(project, monkeypatch, arguments):
    with pytest.raises(SystemExit, match=r"demo.*test"):
        _call(project, monkeypatch, *arguments)


def test_the_first_run_installs_and_the_second_does_not(project, monkeypatch):
    colorize = "-m irodori colorize examples/sketches --reference examples/references -o demo"
    install = "-m pip install -qq --disable-pip-version-check -c constraints.txt"
    torch, package, command = _call(project, monkeypatch, "demo")
    assert torch.startswith(f"{install} torch")
    assert (package, command) == (f"{install} -e .", colorize)
    assert _call(project, monkeypatch, "demo") == [colorize]


def test_what_serves_the_tests_serves_the_demo_but_not_the_reverse(project, monkeypatch):
    assert len(_call(project, monkeypatch, "demo")) == 3
    assert _call(project, monkeypatch, "test", "-k", "x")[1:] == [
        "-m pip install -qq --disable-pip-version-check -c constraints.txt -e .[dev]",
        "-m pytest -k x",
    ]
    assert len(_call(project, monkeypatch, "demo")) == 1
    assert _call(project, monkeypatch, "test") == ["-m pytest"]


@pytest.mark.parametrize("name", ["pyproject.toml", "constraints.txt"])
def test_a_changed_requirement_installs_again(project, monkeypatch, name):
    _call(project, monkeypatch, "demo")
    with (project["ROOT"] / name).open("a") as file:
        file.write("\n# changed\n")
    assert len(_call(project, monkeypatch, "demo")) == 3


def test_exit_codes_pass_through():
    run = runpy.run_path(str(ROOT / "run.py"), run_name="run")["run"]
    run(sys.executable, "-c", "pass")
    with pytest.raises(SystemExit) as caught:
        run(sys.executable, "-c", "raise SystemExit(7)")
    assert caught.value.code == 7


def test_the_cpu_index_is_for_linux_without_a_gpu_and_only_if_it_answers(monkeypatch):
    namespace = runpy.run_path(str(ROOT / "run.py"), run_name="run")["main"].__globals__
    options = namespace["cpu_torch_options"]
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(namespace["shutil"], "which", lambda _name: None)
    monkeypatch.setattr(Path, "exists", lambda _path: False)
    monkeypatch.setattr(urllib.request, "urlopen", lambda *_, **__: io.BytesIO())
    assert options() == ["--extra-index-url", namespace["CPU_INDEX"]]

    def unreachable(*_, **__):
        raise urllib.request.URLError("no such host")

    monkeypatch.setattr(urllib.request, "urlopen", unreachable)
    assert options() == []
    monkeypatch.setattr(namespace["shutil"], "which", lambda _name: "nvidia-smi")
    monkeypatch.setattr(urllib.request, "urlopen", lambda *_, **__: pytest.fail("asked"))
    assert options() == []
    monkeypatch.setattr(sys, "platform", "darwin")
    assert options() == []


def test_the_readme_names_exactly_these_commands():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"python3? run\.py \w+", readme)) == COMMANDS


def test_ci_and_make_go_through_it():
    ci = ROOT / ".ci" / "run"
    assert "python3 run.py test" in ci.read_text(encoding="utf-8").splitlines()
    if os.name == "posix":
        assert os.access(ci, os.X_OK)
        assert subprocess.run(["bash", "-n", str(ci)], check=False).returncode == 0
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert {f"\t{command}" for command in COMMANDS} <= set(makefile.splitlines())
