"""Whole processes: a cold start, an import, a conversion. Wall time and peak memory.

    python benchmarks/startup.py --json startup.json

This process stays small and imports no engine: Linux lets a child's peak begin at its parent's.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mix import MODEL, QUERY

Environment = dict[str, str]

_PACKAGES = ("hotbed", "onnxruntime", "onnx", "numpy", "torch", "sentence-transformers")

_HOTBED = f"import hotbed; hotbed.load({MODEL!r}).encode({QUERY!r})"

_PEER = f"""
import sys
from sentence_transformers import SentenceTransformer
SentenceTransformer(sys.argv[1], device="cpu").encode({QUERY!r})
"""

_CONVERT = f"""
import sys
from pathlib import Path
from written import write
write({MODEL!r}, Path(sys.argv[1]), profile=sys.argv[2])
assert "torch" not in sys.modules
"""

_IMPORT = """
import time, numpy
start = time.perf_counter()
import hotbed
print(time.perf_counter() - start)
hotbed.load
print(time.perf_counter() - start)
"""


@dataclass(kw_only=True)
class Case:
    """One kind of process.

    Attributes:
        name: As in the table.
        code: What the process runs.
        arguments: Its arguments; ``{work}`` stands for an empty folder.
        needs: Packages without which it is absent.
        fresh_home: Whether HOTBED_HOME holds the sources only, and no converted graph.
        runs: One dict of figures a run.
    """

    name: str
    code: str
    arguments: tuple[str, ...] = ()
    needs: tuple[str, ...] = ("hotbed", "onnxruntime")
    fresh_home: bool = False
    runs: list[dict[str, float]] = field(default_factory=list)


def main() -> None:
    """Run every case in turn, several times; print the table; write the JSON."""
    parser = argparse.ArgumentParser(description="Measure starts, imports and conversions.")
    parser.add_argument("--runs", type=int, default=7, help="processes of each kind")
    parser.add_argument("--json", type=Path, help="where the figures are written")
    args = parser.parse_args()
    home, folder = _home_and_folder()
    cases, absent = _split(_cases(folder))
    for number in range(args.runs + 1):
        for case in cases:
            with _environment(case, home) as (environment, work):
                figures = _process(case, environment, work)
            if number:  # the first round fills the disk's cache
                case.runs.append(figures)
    result = {
        "machine": _machine(),
        "runs": args.runs,
        "rows": [{"name": case.name, **_medians(case.runs)} for case in cases],
        "absent": absent,
    }
    _print(result)
    if args.json:
        args.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


def _cases(folder: Path) -> list[Case]:
    return [
        Case(name="hotbed, cold start, one text", code=_HOTBED),
        Case(
            name="sentence-transformers, cold start, one text",
            code=_PEER,
            arguments=(str(folder),),
            needs=("sentence_transformers", "torch"),
        ),
        Case(name="hotbed, first load (converts)", code=_HOTBED, fresh_home=True),
        *(
            Case(
                name=f"hotbed, conversion, {profile} profile",
                code=_CONVERT,
                arguments=("{work}/out", profile),
                needs=("hotbed", "onnx"),
                fresh_home=True,
            )
            for profile in ("portable", "cpu")
        ),
        Case(name="import numpy, hotbed", code=_IMPORT, needs=("hotbed",)),
        Case(name="import numpy", code="import numpy", needs=("numpy",)),
    ]


def _split(cases: list[Case]) -> tuple[list[Case], dict[str, str]]:
    present, absent = [], {}
    for case in cases:
        missing = [item for item in case.needs if importlib.util.find_spec(item) is None]
        if missing:
            absent[case.name] = f"not installed here: {', '.join(missing)}"
        else:
            present.append(case)
    return present, absent


def _home_and_folder() -> tuple[Path, Path]:
    """HOTBED_HOME and the model's folder, asked of a child; it also makes the graph present."""
    code = (
        "from hotbed.loading import default_house; import hotbed; "
        f"model = hotbed.load({MODEL!r}); "
        "print(default_house().settings.home); print(model.folder.path)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=True
    )
    home, folder = done.stdout.splitlines()[-2:]
    return Path(home), Path(folder)


@contextmanager
def _environment(case: Case, home: Path) -> Iterator[tuple[Environment, Path]]:
    """The child's variables and an empty folder; where asked for, a home without any graph."""
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        environment = dict(os.environ, HF_HUB_OFFLINE="1", PYTHONPATH=str(Path(__file__).parent))
        if case.fresh_home:
            fresh = work / "home"
            fresh.mkdir()
            if (home / "sources").exists():
                (fresh / "sources").symlink_to(home / "sources", target_is_directory=True)
            environment["HOTBED_HOME"] = str(fresh)
        yield environment, work


def _process(case: Case, environment: Environment, work: Path) -> dict[str, float]:
    """Run one process to its end; its own peak is what the system reports for it alone."""
    arguments = [argument.format(work=work) for argument in case.arguments]
    with (work / "stderr").open("w+", encoding="utf-8") as errors:
        start = time.perf_counter()
        child = subprocess.Popen(
            [sys.executable, "-c", case.code, *arguments],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=errors,
        )
        assert child.stdout is not None
        printed = child.stdout.read().decode()
        _, status, usage = os.wait4(child.pid, 0)
        wall = time.perf_counter() - start
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            errors.seek(0)
            raise SystemExit(f"{case.name}: ended with {child.returncode}\n{errors.read()}")
    unit = 1 if sys.platform == "darwin" else 1024  # ru_maxrss: bytes there, KiB elsewhere
    figures = {"wall_s": wall, "peak_mb": usage.ru_maxrss * unit / 1e6}
    if case.code is _IMPORT:
        imported, named = (1000 * float(line) for line in printed.split())
        figures |= {"import_ms": imported, "import_and_load_name_ms": named}
    return figures


def _medians(runs: list[dict[str, float]]) -> dict[str, dict[str, float]]:
    pick: dict[str, Callable[[list[float]], float]] = {
        "median": statistics.median,
        "min": min,
        "max": max,
    }
    return {
        key: {word: of([run[key] for run in runs]) for word, of in pick.items()} for key in runs[0]
    }


def _machine() -> dict[str, Any]:
    from machine import describe

    return describe(_PACKAGES)


def _print(result: dict[str, Any]) -> None:
    from machine import show, spread_in_words
    from rich.table import Table

    table = Table(caption=f"median \\[min..max] of {result['runs']} processes of a kind, in turn")
    table.add_column("process")
    for column in ("wall s", "peak MB", "import hotbed ms", "and hotbed.load ms"):
        table.add_column(column, justify="right")
    for row in result["rows"]:
        table.add_row(
            row["name"],
            spread_in_words(row["wall_s"], 2),
            spread_in_words(row["peak_mb"], 0),
            *(
                spread_in_words(row[key], 1) if key in row else ""
                for key in ("import_ms", "import_and_load_name_ms")
            ),
        )
    show(result, table)


if __name__ == "__main__":
    main()
