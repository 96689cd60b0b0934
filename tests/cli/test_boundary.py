"""Whatever a command is given, it ends with a message and a code of docs/command-line.md."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hotbed.cli import boundary
from hotbed.testing import build_tiny
from tests.isolation import child_environment, isolated

__all__ = ["isolated"]

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def hooks(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the command line sets for a process of its own is put back."""
    import threading
    import warnings

    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Call:
    """Run the command line in this process: its code, standard output and standard error."""

    def run(*arguments: object, stdin: bytes = b"") -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin), encoding="cp1252"))
        code = boundary.call(list(map(str, arguments)))
        said = capsys.readouterr()
        assert "Traceback" not in said.err
        assert not {"\x1b", "\u202e", "\x00"} & set(said.out + said.err)
        return code, said.out, said.err

    return run


@pytest.fixture
def tiny(isolated: Path) -> str:
    """A tiny model in the current folder."""
    build_tiny(Path("tiny"))
    return "tiny"


def rows(shown: str) -> list[dict[str, Any]]:
    """JSON lines."""
    return [json.loads(line) for line in shown.splitlines()]


STRANGE = (
    *("", "./nowhere", "folder.npy", "fifo.npy", "loop.txt", "x" * 5000, "a/" * 2000, "\udcff"),
    *("\x1b[31mred", "[/b]", "nan", "9" * 5000, "a\0b", "support@99999999999999999999.0.0"),
)
COMMANDS = (
    ["info"],
    ["{}"],
    ["new-backend"],
    ["embed", "-m", "tiny", "-i"],
    ["embed", "-m", "tiny", "--precision", "int8", "x", "--ranges"],
    ["embed", "-m", "tiny", "x", "--truncate-dim"],
    ["embed", "-m", "tiny", "x", "--on-invalid-text"],
    ["embed", "x", "-m"],
    ["cache", "prune", "--older-than"],
    ["registry", "list", "--limit"],
    ["registry", "import"],
    ["registry", "audit", "--head"],
    ["registry", "doctor", "--part"],
    ["registry", "verify", "support", "--public-key"],
)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_strange_arguments(call: Call, tiny: str, command: list[str]) -> None:
    """Each is refused or taken; never a traceback, a fault, or a control character."""
    Path("file.txt").write_text("x\n", encoding="utf-8")
    Path("folder.npy").mkdir()
    if hasattr(os, "mkfifo"):
        os.mkfifo("fifo.npy")
        Path("loop.txt").symlink_to("loop.txt")
    for strange in STRANGE:
        before = set(Path().iterdir())
        code, _, said = call(*(part.replace("{}", strange) for part in command), strange)
        assert code in (0, 1, 2), (strange, said)
        assert code == 0 or said.startswith(("error: ", "warning: ")), (strange, said)
        if code:
            assert set(Path().iterdir()) == before


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["embed", "--foo\x1b[31m"], r"--foo\x1b[31m"),
        (["\x1b]0;title\x07"], r"\x1b]0;title\x07"),
        (["info", "[/b]"], "[/b]"),
        (["embed", "--input"], "requires an argument"),
        (["registry", "list", "--limit", "x\u202e"], "--limit"),
        (["cache", "prune", "--older-than", "nan"], "--older-than"),
        (["registry", "list", "--limit", "9" * 30], "the number is too large"),
        (["quantize", "a", "-o", "b", "--min-cosine", "nan"], "--min-cosine nan: give a finite"),
        (["registry", "search", "--min", "m=nan"], "m=nan: 'nan' is not a finite number"),
    ],
)
def test_wrong_usage(call: Call, arguments: list[str], said: str) -> None:
    """The message is in the one console's words, and shows what was typed."""
    code, shown, complaint = call(*arguments)
    assert code == (1 if arguments[0] == "info" else 2)
    assert shown == ""
    assert said in complaint


def test_markup_in_a_text_is_text(call: Call, tiny: str) -> None:
    """Texts of rich's markup are embedded and shown as they are, in JSON and in the table."""
    code, shown, _ = call("embed", "-m", tiny, "[/b]", "[bold]hi[/bold] x")
    assert code == 0
    assert [row["text"] for row in rows(shown)] == ["[/b]", "[bold]hi[/bold] x"]


# --- texts that come in --------------------------------------------------------------------


def test_standard_input_is_utf8_whatever_the_locale(call: Call, tiny: str) -> None:
    """A byte order mark is dropped; standard input was opened as cp1252 here."""
    code, shown, _ = call("embed", "-m", tiny, stdin="\ufeffGröße\n\nred\n".encode())
    assert code == 0
    assert [row["text"] for row in rows(shown)] == ["Größe", "", "red"]


@pytest.mark.parametrize("name", ["in.txt", "in.jsonl"])
def test_a_byte_order_mark_is_no_text(call: Call, tiny: str, name: str) -> None:
    """Editors of Windows write one."""
    line = '{"text": "red"}' if name.endswith("jsonl") else "red"
    Path(name).write_text(f"\ufeff{line}\n", encoding="utf-8")
    code, shown, _ = call("embed", "-m", tiny, "-i", name)
    assert (code, [row["text"] for row in rows(shown)]) == (0, ["red"])


LINES = (
    ("in.txt", b"red\ngr\xfcn\n", "in.txt, line 2: it is not UTF-8: the byte 0xfc at character 2"),
    ("in.jsonl", b'{"text": "gr\xfcn"}\n', "in.jsonl, line 1: it is not UTF-8: the byte 0xfc"),
    ("in.jsonl", b'{"text": "a\\ud800"}\n', "line 1: it is not Unicode text: a lone surrogate"),
    ("in.jsonl", b'{"text": "a", "n": ' + b"9" * 5000 + b"}\n", "line 1: not JSON: "),
    ("in.jsonl", b'{"text": "a", "n": ' + b"[" * 99_999 + b"\n", "line 1: not JSON that can be"),
    ("in.jsonl", b'{"text": "a", "n": NaN}\n', "line 1: not JSON: NaN is not a number of JSON"),
    ("in.jsonl", b'{"text": "a", "n": 1e999}\n', "the object that was read cannot be written"),
    (
        "in.jsonl",
        b'{"text": "a", "embedding": [1]}\n',
        "line 1: the object has a field 'embedding'",
    ),
)


@pytest.mark.parametrize(("name", "content", "said"), LINES)
def test_a_line_that_cannot_be_used_is_named(
    call: Call, tiny: str, name: str, content: bytes, said: str
) -> None:
    """With file, line, and what is wrong; exit 2."""
    Path(name).write_bytes(content)
    code, _, complaint = call("embed", "-m", tiny, "-i", name, "-o", "out.jsonl")
    assert code == 2
    assert said in complaint
    assert not Path("out.jsonl").exists()


@pytest.mark.parametrize(("name", "content", "said"), LINES[:3])
def test_what_is_not_unicode_is_replaced_on_request(
    call: Call, tiny: str, name: str, content: bytes, said: str
) -> None:
    """By U+FFFD, as decoding with errors="replace" does; the job goes on."""
    Path(name).write_bytes(content)
    code, shown, complaint = call("embed", "-m", tiny, "-i", name, "--on-invalid-text", "replace")
    assert code == 0, complaint
    assert rows(shown)[-1]["text"] in ("gr\ufffdn", "a\ufffd")


def test_an_argument_that_is_not_utf8(call: Call, tiny: str) -> None:
    """Its number and the byte are named; it is replaced on request."""
    code, _, said = call("embed", "-m", tiny, "red", "caf\udce9")
    assert code == 2
    assert "text 2: it is not UTF-8: the byte 0xe9 at character 3" in said
    code, shown, _ = call("embed", "-m", tiny, "caf\udce9", "--on-invalid-text", "replace")
    assert (code, rows(shown)[0]["text"]) == (0, "caf\ufffd")


def test_an_own_field_is_kept_under_another_name(call: Call, tiny: str) -> None:
    """--output-field says where the vector goes."""
    Path("in.jsonl").write_text('{"text": "red", "embedding": "mine"}\n', encoding="utf-8")
    code, shown, _ = call("embed", "-m", tiny, "-i", "in.jsonl", "--output-field", "vector")
    assert code == 0
    assert (rows(shown)[0]["embedding"], len(rows(shown)[0]["vector"])) == ("mine", 32)
    code, _, said = call("embed", "-m", tiny, "-i", "in.jsonl", "--output-field", "text")
    assert code == 2
    assert "the text would be lost" in said


def test_what_is_finished_is_kept_under_a_name_that_says_so(call: Call, tiny: str) -> None:
    """Line 600 is wrong: the 512 vectors before its window are kept, and it is said."""
    lines = ["red fish"] * 599 + ["gr\udcfcn"]
    Path("in.txt").write_text("\n".join(lines), encoding="utf-8", errors="surrogateescape")
    for number, name in enumerate(("out.partial.npy", "out.partial-2.npy")):
        code, _, said = call("embed", "-m", tiny, "-i", "in.txt", "-o", "out.npy")
        assert code == 2, number
        assert f"the first 512 vectors are kept in {name}" in said
        assert np.load(name).shape == (512, 32)
    assert not Path("out.npy").exists()


# --- what escapes --------------------------------------------------------------------------


class Panic(BaseException):
    """As PanicException of pyo3, which is no Exception."""


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (OSError(28, "No space left on device", "a\x1b.npy"), 1, r"a\x1b.npy: No space left"),
        (MemoryError(), 1, "not enough memory"),
        (RecursionError("deep"), 1, "nested too deep"),
        (KeyboardInterrupt(), 130, "stopped"),
        (SystemExit(0), 1, "wanted to end the process"),
        (BrokenPipeError(32, "Broken pipe"), 1, ""),
        (OverflowError("too\nbig"), 70, "OverflowError: too; this is a fault of hotbed"),
        (Exception("x"), 70, "Exception: x; this is a fault of hotbed"),
        (Panic("called\x07"), 70, r"Panic: called\x07; this is a fault"),
        (UnicodeEncodeError("utf-8", "\udcff", 0, 1, "no"), 70, "UnicodeEncodeError"),
    ],
)
def test_what_escapes_becomes_a_line_and_a_code(
    capsys: pytest.CaptureFixture[str], error: BaseException, code: int, said: str
) -> None:
    """Every exception there is, those that are no Exception too."""
    assert boundary.explain(error, ["info"]) == code
    shown = capsys.readouterr().err
    assert said in shown
    assert shown.count("\n") <= 1


def test_a_settings_mistake_is_wrong_usage(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit 2, as the documentation says."""
    monkeypatch.setenv("HOTBED_MEMORY", "much\x1b[0m")
    code, _, said = call("backends")
    assert code == 2
    assert "memory" in said


# --- processes: what cannot be tried in this one ----------------------------------------------

posix = pytest.mark.skipif(os.name == "nt", reason="POSIX shells and signals")


def shell(command: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run a command line of sh; ``hotbed`` is this interpreter's."""
    return subprocess.run(
        ["sh", "-c", command.replace("hotbed", f"{sys.executable} -W error -m hotbed")],
        capture_output=True,
        text=True,
        encoding="utf-8",
        errors="surrogateescape",
        env=child_environment(**env),
        timeout=60,
        check=False,
    )


@posix
@pytest.mark.parametrize(
    ("command", "code", "said"),
    [
        ("hotbed info tiny >&-", 1, "standard output is closed"),
        ("hotbed info tiny --json >/dev/full", 1, "No space left on device"),
        ("hotbed embed -m tiny <&-", 2, "standard input is closed"),
        ("hotbed info nowhere <&- >&- 2>&-", 1, ""),
        ("hotbed info tiny | cat", 0, ""),
    ],
)
def test_closed_and_full_streams(tiny: str, command: str, code: int, said: str) -> None:
    """One line says what could not be written or read; nothing else is said."""
    if "/dev/full" in command and not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full here")
    done = shell(command, PYTHONIOENCODING="cp1252", LC_ALL="C", PYTHONWARNINGS="")
    assert done.returncode == code, done.stderr
    assert said in done.stderr
    assert done.stderr.count("\n") == bool(said), done.stderr
    if code == 0:
        assert r"\u2192" in done.stdout


@posix
def test_interrupted_while_importing(tmp_path: Path) -> None:
    """Nothing of Python's is seen; exit 130. The package that takes long is one of a test's own."""
    (tmp_path / "typer.py").write_text(
        "import sys, time\nprint('here', flush=True)\ntime.sleep(30)\n", encoding="utf-8"
    )
    child = subprocess.Popen(
        [sys.executable, "-m", "hotbed", "info", "x"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=child_environment(PYTHONPATH=str(tmp_path)),
        # Whoever started the tests may ignore it, as a shell does for what runs in the background.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert child.stdout is not None
    assert child.stdout.readline() == b"here\n"
    time.sleep(0.05)
    child.send_signal(signal.SIGINT)
    _, said = child.communicate(timeout=30)
    assert (child.returncode, said) == (130, b"stopped\n")


def test_a_broken_package_is_named(tmp_path: Path) -> None:
    """Which one, and what mends it; exit 1."""
    (tmp_path / "typer.py").write_text("raise ImportError('bad \\x1b wheel')", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "hotbed", "info", "x"],
        capture_output=True,
        text=True,
        env=child_environment(PYTHONPATH=str(tmp_path)),
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("error: hotbed cannot start")
    assert r"ImportError: 'bad \x1b wheel'" in done.stderr
    assert done.stderr.count("\n") == 1
