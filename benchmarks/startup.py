"""Whole processes: a cold start, an import, a conversion. Wall time and peak memory.

    python benchmarks/startup.py --json startup.json

This process stays small and imports no engine: Linux lets a child's peak begin at its parent's.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from mix import MODEL, QUERY
from processes import Case, medians, run_process, surroundings

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
print(1000 * (time.perf_counter() - start))
hotbed.load
print(1000 * (time.perf_counter() - start))
"""


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
            with surroundings(case, home) as (environment, work):
                figures = run_process(case, environment, work)
            if number:  # the first round fills the disk's cache
                case.runs.append(figures)
    result = {
        "machine": _machine(),
        "runs": args.runs,
        "rows": [{"name": case.name, **medians(case.runs)} for case in cases],
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
        Case(
            name="import numpy, hotbed",
            code=_IMPORT,
            needs=("hotbed",),
            prints=("import_ms", "import_and_load_name_ms"),
        ),
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
