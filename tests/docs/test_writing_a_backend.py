"""The author's guide: its code is what ``hotbed new-backend`` writes, and passes the kit."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import attrs
import pytest

from hotbed.backends import HOOK_API, Capability, FileFormat, Manifest, ProbeRequest
from hotbed.cli.new_backend import render
from tests.distributions import install

PAGE = Path(__file__).parents[2] / "docs" / "writing-a-backend.md"
TEXT = PAGE.read_text(encoding="utf-8")
FILES = ("pyproject.toml", "hotbed_acme.py", "tests/test_suite.py")


def shown(file: str) -> str:
    """The code that the page shows for a file of the distribution."""
    found = re.search(rf"^`hotbed-acme/{file}`.*?\n\n```\w+\n(.*?)^```$", TEXT, re.S | re.M)
    assert found, f"the page does not show {file}"
    return found[1]


def fragments() -> list[str]:
    """The Python shown besides the files: what may be added to the module."""
    whole = {shown(file) for file in FILES}
    blocks = re.findall(r"^```python\n(.*?)^```$", TEXT, re.S | re.M)
    return [block for block in blocks if block not in whole]


def commands() -> list[str]:
    """The shell commands of the first section."""
    first = re.search(r"^```\n(pip install.*?)^```$", TEXT, re.S | re.M)
    assert first
    return first[1].splitlines()


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """The page's distribution, installed in a folder, as pip would leave it."""
    project = tomllib.loads(shown("pyproject.toml"))["project"]
    modules = {"hotbed_acme": shown("hotbed_acme.py")}
    install(
        tmp_path / "site", project["name"], project["entry-points"], modules, project["version"]
    )
    return tmp_path / "site"


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The page's module, run in this process."""
    made = ModuleType("hotbed_acme")
    monkeypatch.setitem(sys.modules, made.__name__, made)  # where dataclasses look it up
    exec(shown("hotbed_acme.py"), vars(made))
    return made


def run_kit(site: Path, tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run pytest in a process of its own, where the distribution is installed."""
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-W", "error", "-rs", *arguments],
        capture_output=True,
        text=True,
        encoding="utf-8",
        cwd=tmp_path,
        timeout=300,
        check=False,
        env={**os.environ, "PYTHONPATH": str(site), "HOTBED_HOME": str(tmp_path / "home")},
    )


@pytest.mark.parametrize("file", FILES)
def test_the_page_shows_what_the_command_writes(file: str) -> None:
    """One source: the page's code is the template's, to the last character."""
    assert shown(file) == render("acme")[file]


def test_the_pages_backend_passes_the_kit_by_the_pages_command(site: Path, tmp_path: Path) -> None:
    """The shown module, installed, passes every test of the kit; nothing is skipped."""
    *_, kit = commands()
    command, *arguments = shlex.split(kit)
    assert command == "pytest"
    done = run_kit(site, tmp_path, *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    summary = done.stdout.splitlines()[-1]
    passed = re.search(r"(\d+) passed", summary)
    assert passed, summary
    assert int(passed[1]) > 30
    assert not re.search("skipped|failed|error|xfail", summary), done.stdout


def test_the_pages_own_suite_passes(site: Path, tmp_path: Path) -> None:
    """The shown test module runs the same tests under plain pytest."""
    tests = tmp_path / "tests"
    tests.mkdir()
    (tests / "test_suite.py").write_text(shown("tests/test_suite.py"), encoding="utf-8")
    done = run_kit(site, tmp_path, "tests")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "skipped" not in done.stdout.splitlines()[-1], done.stdout


def test_the_commands_of_the_page_are_those_that_the_tool_names(tmp_path: Path) -> None:
    """``hotbed new-backend acme`` prints the page's next steps, and makes the page's folder."""
    install_hotbed, new, install_acme, kit = commands()
    assert install_hotbed == 'pip install "hotbed[convert]" pytest'
    program, *arguments = shlex.split(new)
    assert program == "hotbed"
    done = subprocess.run(
        [sys.executable, "-m", program, *arguments],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=True,
        env={**os.environ, "HOTBED_HOME": str(tmp_path / "home")},
    )
    assert kit in done.stdout
    folder = shlex.split(install_acme)[-1]
    for file in FILES:
        assert (tmp_path / folder / file).read_text(encoding="utf-8") == shown(file)


def test_the_fragments_of_the_page_run_in_its_module(module: ModuleType) -> None:
    """Probe, format and wrapper work when they are added to the shown module."""
    probe, file_format, wrapper = fragments()
    exec(probe, vars(module))
    answer = module.hotbed_probe(ProbeRequest(action="embed", device="cpu"))
    assert answer.ok
    assert re.fullmatch(r"onnx \d+\.\d+.*", answer.reason)
    exec(file_format, vars(module))
    assert isinstance(module.ACME, FileFormat)
    assert module.ACME.companions == (".weights",)
    exec(wrapper, vars(module))
    assert module.hotbed_embed.hotbed_impl["wrapper"]


@pytest.mark.parametrize("kind", [Capability, Manifest])
def test_every_part_of_the_manifest_is_explained(kind: type) -> None:
    """The page says of each attribute what it declares."""
    rows = "\n".join(line.split("|")[1] for line in TEXT.splitlines() if line.startswith("| `"))
    for attribute in attrs.fields(kind):
        if attribute.name != "capabilities":
            assert f"`{attribute.name}`" in rows, f"{kind.__name__}.{attribute.name}"


def test_the_hook_api_of_the_page_is_the_present_one(module: ModuleType) -> None:
    """The module that authors copy names the number that hotbed speaks, and so does the text."""
    assert module.HOTBED.hook_api == HOOK_API
    assert f"hook_api={HOOK_API}," in shown("hotbed_acme.py")
    assert f"`Manifest.hook_api` is an integer, now {HOOK_API}." in TEXT
