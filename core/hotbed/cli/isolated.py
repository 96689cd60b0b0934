"""Plugins examined in processes of their own: what crashes or hangs there does no harm here.

The child writes down each step before it takes it, so that the parent can tell what a plugin was
doing when it took the process down. Nothing here imports a plugin but the child, and that one only.
"""

from __future__ import annotations

import faulthandler
import json
import os
import re
import signal
import sys
import tempfile
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hotbed.backends.catalog import Catalog, Found, installed, update_or_block
from hotbed.backends.cpu import cpu_quota
from hotbed.backends.engine import Engine
from hotbed.backends.values import Probe, ProbeRequest
from hotbed.child_processes import TimeoutExpired, start_python
from hotbed.cli.plugins import Row, describe, outline
from hotbed.errors import BackendError

if TYPE_CHECKING:
    from subprocess import Popen

__all__ = ["PATIENCE", "examine_all"]

PATIENCE = 60.0
"""Seconds for one plugin. Importing a large runtime for the first time may take half of them."""

_NT_STATUS = {0xC0000005: "an access violation", 0xC00000FD: "a stack overflow"}
_FRAME = re.compile(r'  File "(?P<file>.+)", line (?P<line>\d+) in (?P<name>.+)')


def examine_all(
    plugins: Iterable[tuple[str, Found]], patience: float = PATIENCE
) -> list[tuple[str, Row]]:
    """Examine plugins, as many at once as there are CPUs; in the order given.

    Args:
        plugins: Entry-point groups and what is registered there, not imported.
        patience: Seconds that each may take.
    """
    with ThreadPoolExecutor(max_workers=cpu_quota()) as pool:
        return list(pool.map(lambda p: (p[0], _examine(p[0], p[1], patience)), plugins))


def _examine(group: str, found: Found, patience: float) -> Row:
    row = outline(found, group)
    if row["state"]:  # nobody may import it, so it cannot do harm
        return row
    with tempfile.TemporaryDirectory(prefix="hotbed-") as folder:
        report, complaints = Path(folder, "report"), Path(folder, "stderr")
        began = time.monotonic()
        code = _run_child([group, found.name, found.value, str(report)], complaints, patience)
        row["seconds"] = round(time.monotonic() - began, 2)
        steps, told = _read(report)
        row |= told
        if code != 0:
            row |= _failed(found, code, patience, steps)
            row["reason"] += _last_words(complaints, code)
    return row


def _run_child(arguments: list[str], complaints: Path, patience: float) -> int | None:
    """Run the child; its exit status, or None where it had to be killed."""
    watch = time.time() + 0.9 * patience
    command = ["-m", __name__, *arguments, str(watch)]
    with complaints.open("wb") as stderr:
        child = start_python(command, folder=complaints.parent, stderr=stderr, path=sys.path)
        try:
            return child.wait(patience)
        except TimeoutExpired:
            _end(child)
            return None


def _end(child: Popen[bytes]) -> None:
    """End the child, and what it started."""
    if os.name == "posix":
        os.killpg(child.pid, signal.SIGKILL)  # it leads a session of its own
    else:
        child.kill()
    child.wait()


def _read(report: Path) -> tuple[list[str], Row]:
    """The steps that the child took, and what it found if it came so far."""
    lines = report.read_text(encoding="utf-8").splitlines() if report.exists() else []
    entries = [json.loads(line) for line in lines if line.endswith("}")]
    row: Row = next((entry["row"] for entry in entries if "row" in entry), {})
    return [entry["step"] for entry in entries if "step" in entry], row


def _failed(found: Found, code: int | None, patience: float, steps: list[str]) -> Row:
    doing = steps[-1] if steps else "starting Python"
    if code is None:
        state, how = "hangs", f"gave no answer within {patience:g} s"
    else:
        state, how = "crashes", _in_words(code)
    return {"state": state, "reason": f"{how} while {doing}", "fix": update_or_block(found)}


def _in_words(code: int) -> str:
    if code < 0:
        try:
            return f"killed by {signal.Signals(-code).name}"
        except ValueError:
            return f"killed by signal {-code}"
    if code & 0xFFFFFFFF in _NT_STATUS:
        return f"killed by {_NT_STATUS[code & 0xFFFFFFFF]}"
    return f"ended the process with status {code}"


def _last_words(complaints: Path, code: int | None) -> str:
    """Where Python was when it was killed, or what the process said last."""
    text = complaints.read_text(encoding="utf-8", errors="replace")
    frames = [match for match in map(_FRAME.fullmatch, text.splitlines()) if match]
    if frames:
        return f"; in {', called from '.join(map(_place, frames[:2]))}"
    said = [line.strip() for line in text.splitlines() if line.strip()]
    return f"; it said: {said[-1]}" if said and code is not None else ""


def _place(frame: re.Match[str]) -> str:
    file = Path(frame["file"])
    return f"{frame['name']} ({file.parent.name}/{file.name}:{frame['line']})"


# --- the child -----------------------------------------------------------------------------------


def _child(group: str, name: str, value: str, report: str, watch: str) -> None:
    faulthandler.enable()
    # If it hangs, say where before it is killed. The clock began before this interpreter.
    faulthandler.dump_traceback_later(max(0.1, float(watch) - time.time()))
    with open(report, "a", encoding="utf-8") as file:  # noqa: PTH123 - one handle for all steps

        def write(entry: dict[str, Any]) -> None:
            file.write(f"{json.dumps(entry)}\n")
            file.flush()

        def ask(found: Found, request: ProbeRequest) -> Probe:
            write({"step": f"probing {request.action} on {request.device}"})
            try:
                return Engine(found).probe(request)
            except BackendError as error:
                return Probe(ok=False, reason=str(error))

        write({"step": f"importing {value}"})
        mine = [entry for entry in installed(group) if (entry.name, entry.value) == (name, value)]
        (found,) = Catalog(group, read=lambda _: mine).found()
        row = describe(found, group, ask)
        write({"row": row})
        write({"step": "ending the process"})


if __name__ == "__main__":
    _child(*sys.argv[1:])
