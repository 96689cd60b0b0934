"""Convert and quantise a model of bge-m3's real shapes, 2.27 GB: wall time and peak memory.

    python benchmarks/large.py --json large.json

The weights are random. Each piece of work is a process of its own; beside them, in turn, a plain
copy of the weights says what the disk alone takes.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

from processes import Case, medians, run_process, surroundings

from hotbed_onnx.quantising.recipes import RECIPES

_SHAPES = {
    "vocab_size": 250002,
    "hidden_size": 1024,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "intermediate_size": 4096,
    "max_position_embeddings": 8194,
    "type_vocab_size": 1,
}
"""``config.json`` of BAAI/bge-m3."""

_MAKE = f"""
import sys
from pathlib import Path
from hotbed.testing.tiny_families import build_family
build_family(Path(sys.argv[1]), "xlm-roberta", config={_SHAPES!r})
"""

_BUILD = """
import sys
from pathlib import Path
from hotbed.models import read_folder
from hotbed_onnx import build_model
out = Path(sys.argv[2])
out.mkdir()
build_model(read_folder(Path(sys.argv[1])), out / "model.onnx", profile=sys.argv[3])
assert "torch" not in sys.modules
"""

_QUANTISE = """
import sys
from pathlib import Path
from hotbed.backends import Artifact, Recipe, Variant
from hotbed.conversion import calibration
from hotbed.models import read_folder
from hotbed.quantisation.texts import divide
from hotbed_onnx.quantising.quantise import quantise
folder = read_folder(Path(sys.argv[1]))
path = Path(sys.argv[2])
out = Path(sys.argv[3])
out.mkdir()
variant = Variant(format="onnx", file=path.name, storage="float32", profile="cpu")
artifact = Artifact(folder=folder.path, path=path, variant=variant)
batches = calibration(folder, divide(None).calibration)
quantise(artifact, Recipe(name=sys.argv[4]), batches, out)
assert "torch" not in sys.modules
"""

_COMMAND = """
import sys
from hotbed.cli.main import run
sys.argv = ["hotbed", *sys.argv[1:]]
run()
"""

_COPY = """
import shutil, sys
shutil.copyfile(sys.argv[1], sys.argv[2])
"""


def main() -> None:
    """Make the folder, convert it several times in turn, print the table, write the JSON."""
    parser = argparse.ArgumentParser(description="Convert a model of 2.27 GB.")
    parser.add_argument("--runs", type=int, default=3, help="processes of each kind")
    parser.add_argument("--only", default="", help="only work whose name begins so")
    parser.add_argument("--json", type=Path, help="where the figures are written")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        home, folder = Path(name), Path(name, "model")
        _run(Case(name="make the folder", code=_MAKE, arguments=(str(folder),)), home)
        size = (folder / "model.safetensors").stat().st_size
        built = home / "built"
        arguments = (str(folder), str(built), "cpu")
        _run(Case(name="build the source", code=_BUILD, arguments=arguments), home)
        cases = [one for one in _cases(folder, built) if one.name.startswith(args.only)]
        for _ in range(args.runs):
            for case in cases:
                case.runs.append(_run(case, home))
    rows = [{"name": case.name, **medians(case.runs)} for case in cases]
    result = {**_machine(), "weights_gb": size / 1e9, "runs": args.runs, "rows": rows}
    _print(result)
    if args.json:
        args.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


def _cases(folder: Path, built: Path) -> list[Case]:
    weights = str(folder / "model.safetensors")
    builds = [
        Case(
            name=f"build the graph, {profile} profile",
            code=_BUILD,
            arguments=(str(folder), "{work}/out", profile),
        )
        for profile in ("cpu", "portable")
    ]
    source = str(built / "model.onnx")
    recipes = [
        Case(
            name=f"quantise, {way.recipe}",
            code=_QUANTISE,
            arguments=(str(folder), source, "{work}/out", way.recipe),
        )
        for way in RECIPES
    ]
    options = ("--profile", "cpu", "--out", "{work}/out")
    commands = [
        Case(
            name=f"hotbed convert --quantize {dtype}, conversion and both gates",
            code=_COMMAND,
            arguments=("convert", str(folder), "--quantize", dtype, "--accept-loss", *options),
            fresh_home=True,
        )
        for dtype in ("int8", "q4")
    ]
    copy = Case(name="copy the weights", code=_COPY, arguments=(weights, "{work}/copy"))
    return [copy, *builds, *recipes, *commands]


def _run(case: Case, home: Path) -> dict[str, float]:
    with surroundings(case, home) as (environment, work):
        return run_process(case, environment, work)


def _machine() -> dict[str, Any]:
    from machine import describe

    return {"machine": describe(("hotbed", "onnx", "numpy", "safetensors"))}


def _print(result: dict[str, Any]) -> None:
    from machine import show, spread_in_words
    from rich.table import Table

    size = f"{result['weights_gb']:.2f} GB of weights"
    table = Table(caption=f"{size}; median \\[min..max] of {result['runs']} processes, in turn")
    for column in ("process", "wall s", "peak MB"):
        table.add_column(column, justify="left" if column == "process" else "right")
    for row in result["rows"]:
        wall, peak = spread_in_words(row["wall_s"], 1), spread_in_words(row["peak_mb"], 0)
        table.add_row(row["name"], wall, peak)
    show(result, table)


if __name__ == "__main__":
    main()
