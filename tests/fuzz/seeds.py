"""What cases start from: small real files of every kind that strangers make.

``seed_building`` builds them once for a session, with the vectors that are right for each model.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from attrs import frozen

__all__ = ["GROUPS", "SEEDS", "TEXTS", "VERSION", "WHEEL", "Seed", "read_seeds"]

TEXTS = (
    "bread",
    "a dog runs over the river",
    "the small cat sleeps under the large tree . the green bird eats the red fish !",
)
"""One short, one longer, and one that most of the tiny models cut."""

WHEEL, VERSION = "acme-model", "1.0"


@frozen(kw_only=True)
class Seed:
    """What a case changes, and what then reads it.

    Attributes:
        name: Of its folder among the seeds.
        group: Cases of one group are run together, and have one test.
        targets: What may read it.
        files: Globs of the files that are changed.
        sealed: Globs of the files whose digests hotbed knows.
        tolerance: How far numbers of vectors of length 1 may lie from the right ones.
        neighbours: Whether a text's vector must not depend on the texts beside it.
        writable: Whether what reads the files may write there as well: databases, caches.
    """

    name: str
    group: str
    targets: tuple[str, ...]
    files: tuple[str, ...] = ("**/*",)
    sealed: tuple[str, ...] = ()
    tolerance: float = 1e-4
    neighbours: bool = True
    writable: bool = False


_MODEL = ("load", "load", "load", "load", "convert", "info", "validate", "register")
_GRAPH = ("load", "load", "load", "info")
_FAMILIES = ("bert", "roberta", "mpnet", "modernbert", "nomic_bert", "new", "qwen3", "gemma3_text")

SEEDS = (
    *(Seed(name=f"family-{name}", group="models", targets=_MODEL) for name in _FAMILIES),
    Seed(name="heads", group="models", targets=_MODEL),
    Seed(name="sharded", group="models", targets=_MODEL),
    Seed(name="static", group="models", targets=_MODEL),
    Seed(name="model2vec", group="models", targets=_MODEL),
    Seed(name="m3", group="models", targets=_MODEL, files=("*.pt", "*.pt", "*.json")),
    Seed(name="bpe", group="models", targets=_MODEL, files=("tokenizer*.json",)),
    Seed(name="unigram", group="models", targets=_MODEL, files=("tokenizer*.json",)),
    Seed(name="hub", group="models", targets=("hub",), files=("hub/*/blobs/*",)),
    Seed(name="adapter", group="models", targets=_MODEL, files=("adapter*",)),
    Seed(name="graph", group="graphs", targets=_GRAPH, files=("onnx/*", "onnx/*", "*.json")),
    Seed(name="maskless", group="graphs", targets=_GRAPH, files=("onnx/*",)),
    Seed(name="bert-graph", group="graphs", targets=_GRAPH, files=("onnx/*",)),
    Seed(
        name="converted",
        group="written",
        targets=(*_GRAPH, "validate"),
        files=("onnx/*", "hotbed.json", "*.json"),
        sealed=("onnx/*",),
    ),
    Seed(
        name="quantized",
        group="written",
        targets=("load int8", "load int8", "info"),
        files=("onnx/*", "hotbed.json", "*.json"),
        sealed=("onnx/*",),
        tolerance=1e-5,
    ),
    Seed(
        name="cache",
        group="written",
        targets=("cache", "cache", "cache list"),
        files=("home/**/*",),
        sealed=("*",),
        writable=True,
    ),
    Seed(
        name="registry",
        group="registry",
        targets=("registry", "registry", "keep house", "registry commands"),
        files=("registry/*.sqlite3", "registry/**/*"),
        sealed=("registry/blobs/*",),
        writable=True,
    ),
    Seed(
        name="archive",
        group="archives",
        targets=("import", "import", "import command"),
        files=("archive.tar",),
    ),
    Seed(name="wheel", group="wheels", targets=("wheel",), files=("*.whl",)),
    Seed(name="settings", group="settings", targets=("settings",), files=("hotbed.toml",)),
    Seed(name="own-settings", group="settings", targets=("own settings",), files=("hotbed/*",)),
    Seed(name="tuned", group="settings", targets=("tuned",), files=("tuned.json",)),
    Seed(name="lines-jsonl", group="texts", targets=("embed",), files=("texts.*",)),
    Seed(name="lines-txt", group="texts", targets=("embed",), files=("texts.*",)),
    Seed(name="ranges", group="texts", targets=("ranges",)),
    Seed(name="vectors", group="texts", targets=("health",), files=("reference_vectors.*",)),
)

GROUPS = {
    "models": 10,
    "graphs": 5,
    "written": 5,
    "registry": 4,
    "archives": 4,
    "settings": 3,
    "texts": 2,
    "wheels": 1,
}
"""Group → its share of the cases."""


def read_seeds(folder: Path) -> dict[str, dict[str, Any]]:
    """What was built: seed → the vectors that are right, or an error where it was refused."""
    found: dict[str, dict[str, Any]] = json.loads((folder / "seeds.json").read_text("utf-8"))
    return found
