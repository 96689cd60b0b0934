"""``hotbed new-backend``: what it writes, and what it refuses to write."""

from __future__ import annotations

import ast
import json
import tomllib
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.distributions import install

FILES = {"pyproject.toml", "README.md", ".gitignore", "hotbed_acme.py", "tests/test_suite.py"}


def files_below(folder: Path) -> set[str]:
    """Every file of a folder, with forward slashes."""
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_it_writes_a_whole_distribution(hotbed: Run, tmp_path: Path) -> None:
    """Files, entry point and names agree; nothing of the template is left, nothing unfinished."""
    done = hotbed("new-backend", "acme")
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "hotbed-acme"
    assert files_below(folder) == FILES
    assert {path.name for path in tmp_path.iterdir()} <= {"hotbed-acme", "home"}
    project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["name"] == "hotbed-acme"
    assert project["entry-points"] == {"hotbed.backends": {"acme": "hotbed_acme"}}
    for path in folder.rglob("*.*"):
        assert "$" not in path.read_text(encoding="utf-8"), path
    assert "pytest --pyargs hotbed.testing.suite --hotbed-backend acme" in done.stdout


def test_the_module_is_under_a_hundred_lines_and_marks_three_places(
    hotbed: Run, tmp_path: Path
) -> None:
    """It parses, imports nothing heavy at its head, and says where another engine goes."""
    assert hotbed("new-backend", "acme").returncode == 0
    text = (tmp_path / "hotbed-acme" / "hotbed_acme.py").read_text(encoding="utf-8")
    assert len(text.splitlines()) < 100
    places = [line.split("# ")[1][:6] for line in text.splitlines() if " of 3: " in line]
    assert places == ["1 of 3", "2 of 3", "3 of 3"]
    top = [node for node in ast.parse(text).body if isinstance(node, ast.ImportFrom | ast.Import)]
    names = {n.module if isinstance(n, ast.ImportFrom) else n.names[0].name for n in top}
    assert not {name for name in names if name and name.startswith("onnx")}


def test_a_hyphen_becomes_an_underscore_where_python_wants_one(hotbed: Run, tmp_path: Path) -> None:
    """``my-engine`` is the backend my_engine of the distribution hotbed-my-engine."""
    done = hotbed("new-backend", "my-engine", "--out", "elsewhere/mine", "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["backend"] == "my_engine"
    folder = tmp_path / "elsewhere" / "mine"
    assert set(report["files"]) == files_below(folder)
    project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["name"] == "hotbed-my-engine"
    assert project["entry-points"]["hotbed.backends"] == {"my_engine": "hotbed_my_engine"}
    assert (folder / "hotbed_my_engine.py").is_file()


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("1st", "cannot be a backend's name"),
        ("my engine", "cannot be a backend's name"),
        ("größe", "cannot be a backend's name"),
        ("Acme", "lower-case letters"),
        ("acme-", "cannot be a backend's name"),
        ("a__b", "single - or _"),
        ("../acme", "cannot be a backend's name"),
        ("", "cannot be a backend's name"),
        ("onnx_cpu", "the backend name 'onnx_cpu' is hotbed's own"),
        ("onnx-cpu", "the backend name 'onnx_cpu' is hotbed's own"),
        ("onnx", "the module hotbed_onnx is there already"),
        ("hotbed-acme", "say: hotbed new-backend acme"),
    ],
)
def test_bad_names_are_refused(hotbed: Run, tmp_path: Path, name: str, why: str) -> None:
    """Exit 2, one line that says what is wrong with the name, and no file."""
    done = hotbed("new-backend", name)
    assert done.returncode == 2
    assert why in done.stderr
    assert "Traceback" not in done.stderr
    assert files_below(tmp_path) == set()


def test_a_name_that_another_distribution_has_is_refused(hotbed: Run, tmp_path: Path) -> None:
    """Two backends of one name could not be used; the message names the distribution."""
    site = tmp_path / "site"
    points = {"hotbed.backends": {"acme": "acme_backend"}}
    install(site, "acme-engines", points, {"acme_backend": "HOTBED = None"})
    done = hotbed("new-backend", "acme", PYTHONPATH=str(site))
    assert (done.returncode, "acme-engines, installed here" in done.stderr) == (2, True)
    assert not (tmp_path / "hotbed-acme").exists()


def test_an_existing_folder_is_left_alone(hotbed: Run, tmp_path: Path) -> None:
    """Not a file is added to it, whether it is given or the default."""
    for place in ("hotbed-acme", "given"):
        folder = tmp_path / place
        folder.mkdir()
        (folder / "thesis.txt").write_text("words", encoding="utf-8")
    for options in ((), ("--out", "given")):
        done = hotbed("new-backend", "acme", *options)
        assert (done.returncode, "exists; name another folder" in done.stderr) == (2, True)
    assert files_below(tmp_path) == {"hotbed-acme/thesis.txt", "given/thesis.txt"}


def test_a_place_that_cannot_be_written_leaves_nothing(hotbed: Run, tmp_path: Path) -> None:
    """Below a file there is no folder: exit 1, the reason, and nothing half-written."""
    (tmp_path / "file").write_text("words", encoding="utf-8")
    done = hotbed("new-backend", "acme", "--out", "file/hotbed-acme")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert files_below(tmp_path) == {"file"}
