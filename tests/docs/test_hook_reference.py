"""docs/hooks.md tells every hook and every value as the source has it."""

from __future__ import annotations

import ast
import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import attrs
import pytest

import hotbed.backends as api
from hotbed.backends import hookspecs

ROOT = Path(__file__).parents[2]
TOOL = ROOT / "tools" / "hook_reference.py"
PAGE = ROOT / "docs" / "hooks.md"


def hooks_in_the_source() -> dict[str, ast.FunctionDef]:
    """The methods of ``HotbedSpec``, as Python's own parser reads the file."""
    tree = ast.parse(Path(hookspecs.__file__).read_text(encoding="utf-8"))
    (spec,) = [n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == "HotbedSpec"]
    return {node.name: node for node in spec.body if isinstance(node, ast.FunctionDef)}


def section(name: str) -> str:
    """What the page says under a heading."""
    found = re.search(
        rf"^### {name}\n\n(.+?)(?=^##|\Z)", PAGE.read_text(encoding="utf-8"), re.S | re.M
    )
    assert found, f"docs/hooks.md has no section {name}"
    return found[1]


def values() -> list[type]:
    """The value classes of the public plugin API."""
    public = (getattr(api, name) for name in api.__all__)
    return [one for one in public if isinstance(one, type) and attrs.has(one)]


@pytest.mark.parametrize("name", hooks_in_the_source())
def test_every_hook_is_documented_with_its_exact_signature(name: str) -> None:
    """Names, order and types of the arguments, and what is given back; and words that say what."""
    hook = hooks_in_the_source()[name]
    del hook.args.args[0]  # self
    code, words = re.fullmatch(r"```python\n(.+?)\n```\n\n(.+)", section(name), re.S).groups()  # type: ignore[union-attr]
    (shown,) = ast.parse(f"{code}: ...").body
    assert isinstance(shown, ast.FunctionDef)
    assert (shown.name, ast.dump(shown.args)) == (name, ast.dump(hook.args))
    assert shown.returns is not None
    assert hook.returns is not None
    assert ast.dump(shown.returns) == ast.dump(hook.returns)
    said = ast.get_docstring(hook)
    assert said is not None
    assert " ".join(words.split()) == " ".join(said.replace("``", "`").split())


@pytest.mark.parametrize("kind", values(), ids=lambda kind: kind.__name__)
def test_every_attribute_of_every_value_is_documented(kind: type) -> None:
    """Each attribute has its own line with its type and what it means."""
    text = section(kind.__name__)
    for attribute in attrs.fields(kind):
        line = rf"^- `{attribute.name}: {re.escape(str(attribute.type))}( = [^`]+)?`: \S"
        assert re.search(line, text, re.M), f"{kind.__name__}.{attribute.name}"
    assert len(re.findall(r"^- `", text, re.M)) >= len(attrs.fields(kind))


def test_the_page_is_not_stale() -> None:
    """``python tools/hook_reference.py --check`` is content with the page in the repository."""
    done = subprocess.run(
        [sys.executable, str(TOOL), "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_check_finds_a_stale_page_and_mends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A page with one changed word exits 1 and stays; without --check it is written anew."""
    tool = load_tool()
    stale = tmp_path / "hooks.md"
    stale.write_text(PAGE.read_text(encoding="utf-8").replace("batch", "bunch", 1), "utf-8")
    before = stale.read_bytes()
    monkeypatch.setattr(tool, "PAGE", stale)
    assert tool.main(["--check"]) == 1
    assert "is stale: run python tools/hook_reference.py" in capsys.readouterr().err
    assert stale.read_bytes() == before
    assert tool.main([]) == 0
    assert stale.read_bytes() == PAGE.read_bytes()


def load_tool() -> ModuleType:
    """The generator as a module."""
    spec = importlib.util.spec_from_file_location("hook_reference", TOOL)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
