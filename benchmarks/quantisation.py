"""Every quantised form beside float32 and sentence-transformers, in turn, on the standard mix.

    python benchmarks/quantisation.py --threads 2 --rounds 6 --json quantisation.json

Each recipe is written by the plain way, and three promises are searched for. Of each form: speed,
size, fidelity to sentence-transformers, and how far a text's vector moves with the texts beside it.
Calibration texts are the built-in ones; none is of the mix.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from contenders import BASELINE, Setup, open_all
from machine import describe, show, spread_in_words
from mix import MODEL, QUERY, load_mix
from rounds import Encode, Floats, compare
from written import source_folder

_PACKAGES = ("hotbed", "onnxruntime", "onnx", "numpy", "torch", "sentence-transformers")
_BACKEND = "onnx_cpu"
_DTYPES = ("int8", "q8", "w8", "q4", "fp16")
_PROMISES = ("--min-mean-cosine=0.99", "--min-cosine=0.99", "--min-cosine=0.998")
_NEIGHBOURS = 64
"""Texts that are embedded alone and beside others."""


def main() -> None:
    """Write the forms, measure them, print the tables, write the JSON."""
    parser = argparse.ArgumentParser(description="Measure the quantised forms of a model.")
    parser.add_argument("--threads", type=int, default=2, help="of each contender")
    parser.add_argument("--rounds", type=int, default=6, help="turns of each contender")
    parser.add_argument("--json", type=Path, help="where the figures are written")
    args = parser.parse_args()
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ["HOTBED_BLOCKED"] = "pytorch"  # it is the judge
    facts = describe(_PACKAGES, args.threads)
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        setup = Setup(folder=source_folder(MODEL), work=work, threads=args.threads)
        contenders, absent = open_all(setup, [BASELINE])
        if absent:
            raise SystemExit(f"no baseline, so no ratios: {absent[BASELINE]}")
        forms, sizes = _forms(work, args.threads)
        texts = load_mix()
        rows = compare(contenders | forms, BASELINE, texts, QUERY, rounds=args.rounds)
        for row in rows:
            if row["name"] in forms:
                row["megabytes"] = sizes[row["name"]]
                row["neighbours"] = _neighbours(forms[row["name"]], texts)
    result = {"machine": facts, "rounds": args.rounds, "rows": rows}
    _print(result)
    if args.json:
        args.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


def _forms(work: Path, threads: int) -> tuple[dict[str, Encode], dict[str, float]]:
    """Every form, written and open, and the megabytes of its weights."""
    import hotbed

    forms, sizes = {}, {}
    for number, (name, command, dtype) in enumerate(_commands()):
        folder = work / str(number)
        found = _hotbed(*command, "--out", str(folder), "--json")
        label = found["chosen"]["name"] if found.get("chosen") else name
        dtype = dtype or _dtype(folder)
        model = hotbed.load(folder, backend=_BACKEND, dtype=dtype, threads=threads)
        forms[f"{name}: {label}" if label != name else name] = _encode(model)
        files = (folder / "onnx").iterdir()
        sizes[list(forms)[-1]] = sum(file.stat().st_size for file in files) / 1e6
    return forms, sizes


def _commands() -> Iterator[tuple[str, list[str], str]]:
    """Name, command, and the dtype that loads the result; ``""`` where the folder tells it."""
    yield "float32", ["convert", MODEL, "--profile", "cpu"], "float32"
    for dtype in _DTYPES:
        # An fp16 file computes in float32 on a CPU.
        load = "float32" if dtype == "fp16" else dtype
        command = ["convert", MODEL, "--profile", "cpu", "--quantize", dtype, "--accept-loss"]
        yield dtype, command, load
    for promise in _PROMISES:
        yield promise, ["quantize", MODEL, promise, "--backend", _BACKEND], ""


def _hotbed(*arguments: str) -> dict[str, Any]:
    """Run a command of hotbed in a process of its own; what it says as JSON."""
    import subprocess
    import sys

    command = [sys.executable, "-m", "hotbed", *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _dtype(folder: Path) -> str:
    """The dtype of the one file of a folder."""
    from hotbed.loading import default_house

    house = default_house()
    (variant,) = house.read(house.locate(str(folder))).variants
    return "float32" if variant.storage == "float16" else variant.storage


def _encode(model: Any) -> Encode:
    return lambda texts: np.asarray(model.encode(list(texts), show_progress_bar=False))


def _neighbours(encode: Encode, texts: list[str]) -> dict[str, float]:
    """How far vectors move between a text alone, and the same text in its batch of the mix."""
    some = texts[:: max(1, len(texts) // _NEIGHBOURS)]
    alone = np.concatenate([encode([text]) for text in some])
    beside = encode(texts)[:: max(1, len(texts) // _NEIGHBOURS)]
    return {"lowest": _lowest(alone, beside), "max_abs": float(np.abs(alone - beside).max())}


def _lowest(a: Floats, b: Floats) -> float:
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return float(((a * b).sum(axis=1) / lengths).min())


def _print(result: dict[str, Any]) -> None:
    from rich.table import Table

    table = Table(caption=f"median \\[min..max] of {result['rounds']} rounds, taken in turn")
    table.add_column("form")
    for column in ("texts/s", "× baseline", "lowest", "mean", "MB", "query ms", "alone, beside"):
        table.add_column(column, justify="right", no_wrap=True)
    for row in result["rows"]:
        moved = row.get("neighbours")
        table.add_row(
            row["name"],
            spread_in_words(row["texts_per_s"], 1),
            spread_in_words(row["ratio"], 2),
            f"{row['cosine']['lowest']:.4f}",
            f"{row['cosine']['mean']:.4f}",
            f"{row['megabytes']:.1f}" if "megabytes" in row else "",
            spread_in_words(row["query_ms"], 2),
            f"{moved['lowest']:.6f}, {moved['max_abs']:.1e}" if moved else "",
        )
    show(result, table)


if __name__ == "__main__":
    main()
