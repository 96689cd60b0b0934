"""What strangers wrote is shown, and never sent to the terminal as it is."""

from __future__ import annotations

import ast
import io
import json
import logging
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rich.text import Text

import hotbed.cli
from hotbed.cli.console import (
    ConsoleHandler,
    complain,
    errors,
    json_line,
    out,
    plain_table,
    print_json,
    show_warning,
)
from hotbed.escaping import LONGEST, escape, escape_json, escape_line, shorten

HOSTILE = "\x1b[2J\x9b31m\x07\x7f\u202e\u2066\u2028\udcff\ud800[bold]x[/b]:warning:\r"
HARMLESS = r"\x1b[2J\x9b31m\x07\x7f\u202e\u2066\u2028\xff\ud800[bold]x[/b]:warning:\x0d"
FORBIDDEN = {chr(code) for code in (*range(9), *range(11, 32), *range(127, 160))} | set(
    "\u061c\u200e\u200f\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
)


def test_every_way_of_printing_escapes(capsys: pytest.CaptureFixture[str]) -> None:
    """Messages, tables, headings, texts of rich, log records and warnings come out the same way."""
    table = plain_table(HOSTILE, "b", title=HOSTILE)
    table.add_row(HOSTILE, Text(HOSTILE))
    out.print(table)
    out.print(HOSTILE, Text.assemble((HOSTILE, "bold")))
    complain(HOSTILE)
    record = logging.LogRecord("x", logging.INFO, "x", 1, "%s", (HOSTILE,), None)
    ConsoleHandler().emit(record)
    show_warning(UserWarning(HOSTILE), UserWarning, "f", 1)
    with errors.status(HOSTILE):
        pass
    shown = "".join(capsys.readouterr())
    assert not FORBIDDEN & set(shown)
    assert shown.count(r"\x1b[2J") >= 7
    assert HARMLESS in shown
    shown.encode()  # no lone surrogate is left


def test_a_cell_has_no_lines_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    """A model's name cannot add a row that nobody wrote."""
    table = plain_table("model")
    table.add_row("a\nsupport 1.0.0  signed")
    out.print(table)
    assert capsys.readouterr().out.splitlines()[1:] == ["a\\nsupport 1.0.0  signed"]


def test_a_long_value_is_cut_and_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    """A megabyte in a name is not a megabyte on the screen."""
    complain("x" * 1_000_000)
    shown = capsys.readouterr().err
    assert "(1,000,000 characters)" in shown
    assert len(shown) < LONGEST + 100
    assert shorten("short") == "short"


@given(text=st.text(st.characters(codec=None)))
@example(text=HOSTILE)
def test_escaping(text: str) -> None:
    """Nothing forbidden is left, twice is once, and what is printable stays as it is."""
    for way in (escape, escape_line):
        shown = way(text)
        assert not FORBIDDEN & set(shown)
        assert way(shown) == shown
        shown.encode()
    assert "\n" not in escape_line(text)
    if text.isprintable():
        assert escape(text) == text


@given(text=st.text(st.characters(codec=None)))
@example(text=HOSTILE)
def test_escaped_json_is_the_same_json(text: str) -> None:
    """Lone surrogates too: JSON has a form for them, and UTF-8 has none."""
    document = escape_json(json.dumps({text: [text]}, ensure_ascii=False))
    assert json.loads(document) == json.loads(json.dumps({text: [text]}))
    assert not FORBIDDEN & set(document)
    document.encode()


class Narrow(io.StringIO):
    """A file of another encoding."""

    encoding = "cp1252"


def test_json_for_a_terminal_of_few_characters() -> None:
    """What cp1252 has no form for is escaped as JSON does."""
    line = json_line({"text": "Größe → 中"}, Narrow())
    assert line.isascii()
    assert json.loads(line) == {"text": "Größe → 中"}
    assert "Größe → 中" in json_line({"text": "Größe → 中"}, io.StringIO())


def test_printed_json_has_no_nan(capsys: pytest.CaptureFixture[str]) -> None:
    """JSON has no form for it; null says that there is no number."""
    print_json({"a": [float("nan"), 1.5], "b": (float("inf"),)})
    assert json.loads(capsys.readouterr().out) == {"a": [None, 1.5], "b": [None]}


# --- nothing else prints ---------------------------------------------------------------------

SOURCES = sorted(Path(hotbed.cli.__file__).parent.glob("*.py"))


def _printing(tree: ast.AST) -> list[str]:
    """Ways around the console in one file."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if called in ("print", "typer.echo", "typer.secho", "rich.print", "pprint"):
                found.append(called)
            if called.endswith((".from_markup", "Markdown", "Console", "add_handler")):
                found.append(called)
            found += [f"{called}({k.arg}=True)" for k in node.keywords if _turns_on_markup(k)]
        if isinstance(node, ast.Attribute) and ast.unparse(node) in (
            "sys.stdout.write",
            "sys.stderr.write",
        ):
            found.append(ast.unparse(node))
    return found


def _turns_on_markup(keyword: ast.keyword) -> bool:
    value = keyword.value
    return keyword.arg == "markup" and not (isinstance(value, ast.Constant) and not value.value)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_only_the_console_prints(path: Path) -> None:
    """Whoever prints in another way prints data as it is; use hotbed.cli.console."""
    allowed: dict[str, set[str]] = {
        "console": {"sys.stdout.write", "_SafeConsole"},
        "main": {"sys.stderr.write"},  # nothing is imported yet; it writes ASCII
    }
    found: Any = set(_printing(ast.parse(path.read_text(encoding="utf-8"))))
    assert found <= allowed.get(path.stem, set())


def test_the_rule_finds_what_it_forbids() -> None:
    """Each way around it, by its name."""
    code = "print(x)\ntyper.echo(x)\nText.from_markup(x)\nsys.stdout.write(x)\nf(x, markup=y)"
    assert len(_printing(ast.parse(code))) == 5
    assert sys.stdout is not None
