"""hotbed beside its peers: one process, in turn, equal threads, the standard mix.

    python benchmarks/peers.py --threads 2 --st-onnx-python PATH --json peers.json

sentence-transformers' onnx backend needs an older transformers, so another interpreter runs this
same file for it, beside a baseline of its own; its ratios are to that one.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from contenders import BASELINE, CONTENDERS, ONNX_BACKEND, Setup, open_all
from machine import describe
from mix import MODEL, QUERY, load_mix
from rounds import compare

_PACKAGES = (
    "hotbed",
    "hotbed-openvino",
    "onnxruntime",
    "openvino",
    "nncf",
    "tokenizers",
    "numpy",
    "torch",
    "transformers",
    "sentence-transformers",
    "fastembed",
    "optimum-onnx",
)
_ELSEWHERE = " (its own environment)"


def main() -> None:
    """Measure, print the table, write the JSON."""
    args = _arguments()
    # Everything is on the disk; a peer that asks the hub for news would only add its timeout.
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    if args.baseline_too:
        result = _measure(args, [BASELINE, ONNX_BACKEND], args.baseline_too)
    else:
        result = _measure_here_and_there(args)
        _print(result)
    if args.json:
        args.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure hotbed beside its peers.")
    parser.add_argument("--threads", type=int, default=2, help="of each contender")
    parser.add_argument("--rounds", type=int, default=7, help="turns of each contender")
    parser.add_argument("--json", type=Path, help="where the figures are written")
    parser.add_argument(
        "--st-onnx-python",
        type=Path,
        help="an interpreter with sentence-transformers[onnx]; without it that row is absent",
    )
    parser.add_argument(
        "--baseline-too",
        type=Path,
        metavar="FOLDER",
        help="used by this script: measure the onnx backend and a baseline on a model folder",
    )
    return parser.parse_args()


def _measure(args: argparse.Namespace, names: list[str], folder: Path) -> dict[str, Any]:
    facts = describe(_PACKAGES, args.threads)
    with tempfile.TemporaryDirectory() as work:
        setup = Setup(folder=folder, work=Path(work), threads=args.threads)
        opened, absent = open_all(setup, names)
        if BASELINE not in opened:
            raise SystemExit(f"no baseline, so no ratios: {BASELINE}: {absent[BASELINE]}")
        rows = compare(opened, BASELINE, load_mix(), QUERY, rounds=args.rounds)
    return {"machine": facts, "rounds": args.rounds, "rows": rows, "absent": absent}


def _measure_here_and_there(args: argparse.Namespace) -> dict[str, Any]:
    from written import source_folder

    folder = source_folder(MODEL)
    here = [name for name in CONTENDERS if name != ONNX_BACKEND]
    result = _measure(args, here, folder)
    if args.st_onnx_python is None:
        result["absent"][ONNX_BACKEND] = "no --st-onnx-python was given"
        return result
    other = _elsewhere(args, folder)
    result["elsewhere"] = other.get("machine")
    result["rows"] += [{**row, "name": row["name"] + _ELSEWHERE} for row in other["rows"]]
    result["absent"] |= other["absent"]
    return result


def _elsewhere(args: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Run this file under the other interpreter; what goes wrong there is a reason, not an end."""
    with tempfile.TemporaryDirectory() as work:
        out = Path(work) / "out.json"
        command = [str(args.st_onnx_python), __file__, "--baseline-too", str(folder)]
        command += ["--threads", str(args.threads), "--rounds", str(args.rounds)]
        done = subprocess.run(
            [*command, "--json", str(out)], capture_output=True, text=True, check=False
        )
        if done.returncode or not out.exists():
            last = done.stderr.strip().splitlines()[-1:]
            reason = f"{args.st_onnx_python} ended with {done.returncode}: {' '.join(last)}"
            return {"rows": [], "absent": {ONNX_BACKEND: reason}}
        value: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
        return value


def _print(result: dict[str, Any]) -> None:
    from machine import show, spread_in_words
    from rich.table import Table

    table = Table(caption=f"median \\[min..max] of {result['rounds']} rounds, taken in turn")
    table.add_column("contender")
    columns = ("texts/s", "× baseline", "lowest cosine", "mean cosine", "query ms", "of baseline")
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)
    for row in result["rows"]:
        table.add_row(
            row["name"],
            spread_in_words(row["texts_per_s"], 1),
            spread_in_words(row["ratio"], 2),
            f"{row['cosine']['lowest']:.6f}",
            f"{row['cosine']['mean']:.6f}",
            spread_in_words(row["query_ms"], 2),
            f"{row['query_share']['median']:.2f}",
        )
    show(result, table)


if __name__ == "__main__":
    main()
