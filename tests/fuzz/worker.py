"""The process that runs cases, one after the other, until one kills it.

It reads an order a line from standard input and answers a line on the file descriptor that it was
started with. What else is printed, by native code as well, goes to a file that the session reads.
"""

from __future__ import annotations

import faulthandler
import json
import os
import sys
import time
import traceback
import warnings
from pathlib import Path
from typing import Any

from tests.fuzz.guard import Guard, limit_process, peak_memory, reset_peak
from tests.fuzz.targets import TARGETS, Job

__all__ = ["main", "run_job"]

_LONGEST = 4000


def run_job(order: dict[str, Any], guard: Guard, seeds: Path) -> dict[str, Any]:
    """Run one case, and say what came of it."""
    from hotbed.errors import HotbedError

    job = Job(folder=Path(order["folder"]), scratch=Path(order["scratch"]), seeds=seeds)
    target = _target(order["target"])
    answer: dict[str, Any]
    before, began = reset_peak(), time.process_time()
    with guard.armed(
        job.folder,
        (*map(Path, order["writable"]), job.scratch),
        Path(order["sentinel"]),
    ):
        try:
            answer = {"outcome": "accepted", **target(job)}
        except HotbedError as error:
            answer = {"outcome": "refused", "error": type(error).__name__, "said": str(error)}
        except BaseException as error:  # pyo3's panics are no Exceptions
            answer = {"outcome": "foreign", **_described(error)}
    return {
        **answer,
        "violations": guard.violations,
        "memory": peak_memory() - before,
        "cpu": time.process_time() - began,
    }


def _target(name: str) -> Any:
    if name.startswith("planted "):
        from tests.fuzz.planted import PLANTED

        return PLANTED[name.removeprefix("planted ")]
    return TARGETS[name]


def _described(error: BaseException) -> dict[str, Any]:
    """The error, and the last place of ours that it came through."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [f for f in frames if "/hotbed" in f.filename and "/tests/" not in f.filename]
    last = (ours or frames)[-1]
    place = "/".join(Path(last.filename).parts[-3:])
    text = "".join(traceback.format_exception(error, limit=-12))
    return {
        "error": type(error).__name__,
        "said": str(error)[:_LONGEST],
        "place": f"{place}:{last.lineno} in {last.name}",
        "traceback": text[-_LONGEST:],
    }


def main() -> None:
    """Answer orders until there are none."""
    import hotbed
    import hotbed.registry.store

    answers = os.fdopen(int(sys.argv[1]), "w", encoding="utf-8")
    faulthandler.enable()
    warnings.simplefilter("ignore")  # what a user would see on standard error, and no finding
    guard = Guard()
    seeds = Path(sys.stdin.readline().rstrip("\n"))
    # Everything heavy is imported and opened once, before limits are set and memory is measured.
    hotbed.load(seeds / "static", threads=1).encode("bread")
    limit_process()
    answers.write("ready\n")
    answers.flush()
    for line in sys.stdin:
        order = json.loads(line)
        faulthandler.dump_traceback_later(order["seconds"] * 0.9)
        answer = run_job(order, guard, seeds)
        faulthandler.cancel_dump_traceback_later()
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
