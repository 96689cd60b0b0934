"""Children of ours: nothing of the current directory runs in them, and one place starts them."""

from __future__ import annotations

import ast
import os
from pathlib import Path

import pytest

import hotbed
from hotbed.child_processes import python_environment, run_python
from hotbed.errors import SourceError
from hotbed.sources import parse, resolve

SOURCES = Path(hotbed.__file__).parents[1]
STARTERS = {
    "subprocess",
    "multiprocessing",
    "pty",
    "concurrent.futures.process",
    "asyncio.subprocess",
}
CALLS = {"system", "popen", "fork", "forkpty", "posix_spawn", "posix_spawnp", "startfile"}
# The one place, and the kit's test that an embedder travels to a spawned process.
ALLOWED = {"hotbed/child_processes.py", "hotbed/testing/life.py"}


@pytest.fixture
def planted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A current directory with packages that note that they ran; give where they note it."""
    ran = tmp_path / "ran"
    for name in ("pip", "json", "encodings", "multiprocessing", "hotbed", "runpy"):
        package = tmp_path / "work" / name
        package.mkdir(parents=True)
        for file in ("__init__.py", "__main__.py"):
            (package / file).write_text(f"open({str(ran)!r}, 'a').write({name!r})")
    (tmp_path / "work" / "sitecustomize.py").write_text(f"open({str(ran)!r}, 'a').write('site')")
    monkeypatch.chdir(tmp_path / "work")
    return ran


@pytest.mark.parametrize("path", [None, "", ".", os.pathsep, f"{os.pathsep}.{os.pathsep}"])
@pytest.mark.parametrize("arguments", [["-c", "import json, hotbed"], ["-m", "json.tool", "-h"]])
def test_nothing_of_the_current_directory_runs(
    planted: Path, monkeypatch: pytest.MonkeyPatch, path: str | None, arguments: list[str]
) -> None:
    """Packages there shadow neither hotbed nor the standard library, whatever PYTHONPATH holds."""
    if path is not None:
        monkeypatch.setenv("PYTHONPATH", path)
    done = run_python(arguments)
    assert done.returncode == 0, done.stderr
    assert not planted.exists()


def test_pip_is_not_that_of_the_current_directory(
    planted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wheel that has to be fetched starts the installed pip."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    with pytest.raises(SourceError, match="acme==1"):
        resolve(parse("pypi://acme==1", home=tmp_path / "home"))
    assert not planted.exists()


def test_a_python_without_pip_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Environments that uv makes have no pip: the error says what brings it."""
    hidden = tmp_path / "site"
    hidden.mkdir()
    (hidden / "sitecustomize.py").write_text(
        "from importlib.machinery import PathFinder\n"
        "real = PathFinder.find_spec\n"
        "def find(name, path=None, target=None):\n"
        "    return None if name == 'pip' else real(name, path, target)\n"
        "PathFinder.find_spec = find\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(hidden))
    with pytest.raises(SourceError, match=r"has no pip.*uv pip install pip"):
        resolve(parse("pypi://acme==1", home=tmp_path / "home"))


def test_the_environment_of_a_child() -> None:
    """Relative entries of both search paths go, and so does what runs a file at the start."""
    parts = {"PATH": ["/bin", "", ".", "bin"], "PYTHONPATH": ["", "/lib", "x"]}
    given = {name: os.pathsep.join(entries) for name, entries in parts.items()}
    given |= {"PYTHONSTARTUP": "x.py", "PYTHONINSPECT": "1", "KEPT": "1"}
    assert python_environment(given) == {
        "PATH": "/bin",
        "PYTHONPATH": "/lib",
        "KEPT": "1",
        "PYTHONSAFEPATH": "1",
    }


def test_a_child_reads_nothing_and_starts_in_an_empty_directory() -> None:
    """Its input is closed, and its directory is nobody's."""
    done = run_python(["-c", "import os, sys; print(sys.stdin.read(), os.listdir(), sys.path[0])"])
    assert done.stdout.startswith(" [] /"), done


def _started(tree: ast.AST) -> set[str]:
    """What of a module could start a process."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names} & STARTERS
        if isinstance(node, ast.ImportFrom) and node.module in {*STARTERS, "concurrent.futures"}:
            names = {alias.name for alias in node.names}
            if node.module in STARTERS or "ProcessPoolExecutor" in names:
                found.add(node.module)
        if isinstance(node, ast.Attribute) and getattr(node.value, "id", "") == "os":
            found |= {node.attr} & CALLS
            found |= {node.attr} if node.attr.startswith(("exec", "spawn")) else set()
    return found


def test_one_place_starts_processes() -> None:
    """Whoever needs a process asks ``child_processes``; imports for types alone do not count."""
    starters = {}
    for root in (SOURCES, SOURCES.parent / "plugins"):
        for file in root.rglob("*.py"):
            tree = ast.parse(file.read_text(encoding="utf-8"))
            for node in ast.walk(tree):
                if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING":
                    node.body = []
            name = file.relative_to(root).as_posix()
            if (found := _started(tree)) and "tests/" not in name and name not in ALLOWED:
                starters[name] = found
    assert starters == {}
