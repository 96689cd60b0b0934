"""Draw the README's picture from what ``peers.py --json`` wrote.

python benchmarks/plot.py peers.json docs/images/throughput.svg
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

__all__ = ["draw", "main"]

_HOTBED, _OTHERS = "#d9480f", "#adb5bd"
_OURS = ("hotbed", "hotbed, static int8")


def draw(report: dict[str, Any], path: Path) -> None:
    """Draw throughput as a multiple of the baseline's, with the range of the rounds."""
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "hotbed"  # the same figures give the same file
    from matplotlib import pyplot

    rows = [row for row in report["rows"] if row.get("ratio")]
    rows = [row for row in rows if "own environment" not in row["name"] or "onnx" in row["name"]]
    rows.sort(key=lambda row: row["ratio"]["median"])
    names = [row["name"].replace(" (its own environment)", "") for row in rows]
    ratios = [row["ratio"] for row in rows]
    middle = [ratio["median"] for ratio in ratios]
    low = [ratio["median"] - ratio["min"] for ratio in ratios]
    high = [ratio["max"] - ratio["median"] for ratio in ratios]
    figure, axes = pyplot.subplots(figsize=(8, 0.5 * len(rows) + 1.2))
    colours = [_HOTBED if name in _OURS else _OTHERS for name in names]
    axes.barh(names, middle, xerr=[low, high], color=colours, ecolor="#495057", capsize=3)
    for place, ratio in enumerate(ratios):
        label = f"{ratio['median']:.2f}×"
        axes.text(ratio["max"] + 0.04, place, label, va="center", fontsize=10)
    machine = report["machine"]
    axes.set_xlabel(
        f"texts a second, as a multiple of sentence-transformers'\n"
        f"({machine['cpu']}, {machine['threads']} threads; bars from least to most of the rounds)"
    )
    axes.set_xlim(0, max(ratio["max"] for ratio in ratios) * 1.15)
    axes.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})


def main() -> None:
    """Read the report that is named, and draw it where it is asked for."""
    parser = argparse.ArgumentParser(description="Draw throughput from a report of peers.py.")
    parser.add_argument("report", type=Path)
    parser.add_argument("picture", type=Path)
    arguments = parser.parse_args()
    draw(json.loads(arguments.report.read_text(encoding="utf-8")), arguments.picture)


if __name__ == "__main__":
    main()
