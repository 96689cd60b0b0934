"""Write docs/families.md from what the oracle tests measured.

HOTBED_REQUIRE=torch pytest tests/oracle --families-report docs/reports/oracle/families.json
python tools/families_table.py [--check]
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

__all__ = ["EXAMPLES", "PAGE", "REPORT", "render"]

DOCS = Path(__file__).parents[1] / "docs"
REPORT = DOCS / "reports" / "oracle" / "families.json"
PAGE = DOCS / "families.md"

EXAMPLES = {
    "bert": "all-MiniLM, BGE, E5, GTE v1, Arctic, mxbai",
    "camembert": "sentence-camembert",
    "distilbert": "multi-qa-distilbert, msmarco-distilbert",
    "gemma3_text": "EmbeddingGemma",
    "gte": "gte-base-en-v1.5 as transformers spells it",
    "model2vec": "potion",
    "modernbert": "gte-modernbert, modernbert-embed",
    "mpnet": "all-mpnet-base, multi-qa-mpnet",
    "new": "gte-base-en-v1.5, gte-multilingual, arctic-embed-m-v2, as the hub spells it",
    "nomic_bert": "nomic-embed-text v1 and v1.5, in both spellings",
    "qwen3": "Qwen3-Embedding",
    "roberta": "all-distilroberta, all-roberta",
    "static": "static-retrieval-mrl, sentence-transformers' StaticEmbedding",
    "xlm-roberta": "bge-m3, multilingual-e5, paraphrase-multilingual-mpnet",
}
"""``model_type`` → what on the hub has it."""

_HEAD = """# Families that are converted without PyTorch

Made by `tools/families_table.py` from what `tests/oracle` measured (`--families-report`); no number
here was written by hand. Each family is held to {oracles}
on random small models with its real structure: several seeds, numbers of heads, windows and rotary
scalings, on batches padded on the right, on the left, of one token, of the maximum length, and with
one row of text among padding. What is let pass: a lowest cosine of 0.99999 and a largest difference
of 1e-4.

The weights of the hub's own models are not in these tests; the names say which `model_type` they
have.

| `model_type` | on the hub | comparisons | lowest cosine | largest difference | of the reference |
|---|---|---|---|---|---|
"""
_TAIL = """
*Lowest cosine* and *largest difference* are of the graphs: the worse of the profiles `cpu` and
`portable`, token and sentence embeddings alike; where a family has no token embeddings, of what
`encode` gives for texts. *Of the reference* is the largest difference of the independent numpy
forward, `hotbed.reference`, which the gate compares with where PyTorch is not installed.

Anything else that transformers knows is exported by PyTorch with `pip install "hotbed[torch]"`: see
[Converting](converting.md).
"""


def main() -> int:
    """Write the page, or check that it is what would be written."""
    parser = argparse.ArgumentParser(description="Write docs/families.md.")
    parser.add_argument("--check", action="store_true", help="only say whether it is stale")
    page = render(json.loads(REPORT.read_text(encoding="utf-8")))
    if not parser.parse_args().check:
        PAGE.write_text(page, encoding="utf-8")
    elif not PAGE.exists() or PAGE.read_text(encoding="utf-8") != page:
        sys.stderr.write("docs/families.md is stale: python tools/families_table.py\n")
        return 1
    return 0


def render(report: dict[str, Any]) -> str:
    """The page for a report."""
    oracles = ", ".join(f"{name} {number}" for name, number in report["oracles"].items())
    rows = [_row(name, cells) for name, cells in report["families"].items()]
    return _HEAD.format(oracles=oracles) + "".join(rows) + _TAIL


def _row(name: str, cells: dict[str, dict[str, float]]) -> str:
    graphs = [cell for what, cell in cells.items() if what in ("cpu", "portable")]
    graphs = graphs or [cells["encode"]]
    batches = max(int(cell["batches"]) for cell in graphs)
    lowest = min(cell["lowest"] for cell in graphs)
    largest = max(cell["max_abs"] for cell in graphs)
    reference = f"{cells['reference']['max_abs']:.1e}" if "reference" in cells else "–"
    numbers = f"{batches} | {lowest:.7f} | {largest:.1e} | {reference}"
    return f"| `{name}` | {EXAMPLES[name]} | {numbers} |\n"


if __name__ == "__main__":
    raise SystemExit(main())
