"""Check that a folder written by hotbed gives others the vectors that it gives hotbed.

    python benchmarks/written_folder.py --st-onnx-python PATH

Ends with 1 where vectors differ by more than 1e-5, and with 2 where nobody could be asked.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from contenders import ONNX_BACKEND, fastembed_from, limit_for_fastembed, onnx_backend
from machine import describe
from mix import CAP, MODEL, load_mix
from rounds import Floats

LIMIT = 1e-5
"""The greatest difference of a coordinate that is put down to the order of float32 sums."""

_THREADS = 2
"""Given to everybody by name: hotbed's shared pool must not stand in the way of a peer's own."""

_PACKAGES = ("hotbed", "onnxruntime", "fastembed", "sentence-transformers")


def main() -> None:
    """Write the folder, ask each reader, compare."""
    parser = argparse.ArgumentParser(description="Check that others read hotbed's folders alike.")
    parser.add_argument("--st-onnx-python", type=Path, help="has sentence-transformers[onnx]")
    parser.add_argument("--json", type=Path, help="where the figures are written")
    parser.add_argument(
        "--answer",
        nargs=2,
        type=Path,
        metavar=("FOLDER", "OUT"),
        help="used by this script: write the onnx backend's vectors of a folder to a file",
    )
    args = parser.parse_args()
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    if args.answer:
        folder, out = args.answer
        np.save(out, onnx_backend(folder, threads=_THREADS)(load_mix()))
        return
    result = _check(args.st_onnx_python)
    _print(result)
    if args.json:
        args.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    sys.exit(_exit_status(result["rows"]))


def _check(interpreter: Path | None) -> dict[str, Any]:
    rows: list[dict[str, Any]] = []
    absent: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        folder, expected = _write_and_embed(work)
        readers: dict[str, Callable[[], Floats]] = {
            "hotbed": lambda: _hotbed(folder),
            "fastembed": lambda: _fastembed(folder, work / "limited"),
            ONNX_BACKEND: lambda: _onnx_backend(folder, work, interpreter),
        }
        for reader, read in readers.items():
            try:
                rows.append({"name": reader, **_difference(read(), expected)})
            except Exception as error:
                # A reader that is not there, or fails, is told with its reason.
                absent[reader] = f"{type(error).__name__}: {error}"
    return {"machine": describe(_PACKAGES), "limit": LIMIT, "rows": rows, "absent": absent}


def _write_and_embed(work: Path) -> tuple[Path, Floats]:
    """The written folder, and hotbed's vectors from the model that it was written from."""
    from written import write

    import hotbed

    folder = write(MODEL, work / "written", profile="portable")
    with hotbed.load(MODEL, threads=_THREADS) as model:
        return folder, np.asarray(model.encode(load_mix(), show_progress_bar=False))


def _hotbed(folder: Path) -> Floats:
    import hotbed

    with hotbed.load(folder, threads=_THREADS) as model:
        return np.asarray(model.encode(load_mix(), show_progress_bar=False))


def _fastembed(folder: Path, limited: Path) -> Floats:
    # fastembed knows no max_seq_length: it reads the tokenizer's limit, 512 tokens here. The limit
    # is set in a copy, so that the other readers get the folder as it was written.
    shutil.copytree(folder, limited)
    limit_for_fastembed(limited, CAP)
    return fastembed_from(limited, threads=_THREADS)(load_mix())


def _onnx_backend(folder: Path, work: Path, interpreter: Path | None) -> Floats:
    if interpreter is None:
        raise FileNotFoundError("no --st-onnx-python was given")
    out = work / "vectors.npy"
    command = [str(interpreter), __file__, "--answer", str(folder), str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(" ".join(done.stderr.strip().splitlines()[-1:]))
    vectors: Floats = np.load(out)
    return vectors


def _difference(vectors: Floats, expected: Floats) -> dict[str, float]:
    a, b = vectors.astype(np.float64), expected.astype(np.float64)
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return {
        "lowest_cosine": float(((a * b).sum(axis=1) / lengths).min()),
        "greatest_difference": float(np.abs(a - b).max()),
    }


def _exit_status(rows: list[dict[str, Any]]) -> int:
    if any(row["greatest_difference"] > LIMIT for row in rows):
        return 1
    return 0 if any(row["name"] != "hotbed" for row in rows) else 2


def _print(result: dict[str, Any]) -> None:
    from machine import show
    from rich.table import Table

    table = Table(caption=f"256 texts; a difference above {LIMIT:g} is an error")
    for column in ("the written folder, read by", "lowest cosine", "greatest difference", ""):
        table.add_column(column)
    for row in result["rows"]:
        equal = row["greatest_difference"] <= LIMIT
        table.add_row(
            row["name"],
            f"{row['lowest_cosine']:.8f}",
            f"{row['greatest_difference']:.2e}",
            "equal" if equal else "[red]different[/red]",
        )
    show(result, table)


if __name__ == "__main__":
    main()
