"""The standard mix: 256 English texts on which everything in this folder is measured.

Run as a command it samples the mix again; the committed file was sampled with Python 3.11.7:

    python benchmarks/mix.py --write

The texts are docstrings of the Python standard library, copyright Python Software Foundation,
under the PSF License Agreement (https://docs.python.org/3/license.html).
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import inspect
import json
import platform
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    # numpy is imported where it is used: startup.py's own process has to stay small.
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["CAP", "DIGEST", "MODEL", "QUERY", "digest_of", "load_mix"]

MODEL = "all-MiniLM-L6-v2"
"""The model that is measured, and whose tokenizer counts."""

CAP = 256
"""Tokens kept of a text: the model's own limit."""

DIGEST = "5d8079c690f59d382f6121c85bc0c6264c7b237af803a8653140ff0a9d13957a"
"""sha256 over the texts, in order, separated by NUL."""

QUERY = "How do I bake bread at home without an oven?"
"""The one short text whose latency is measured."""

FILE = Path(__file__).with_name("standard_mix.json")

_SIZE = 256
_SEED = 2026
_MEAN = 84.0
_KNOTS = ((0.5, 50.0), (0.9, 219.0), (0.94, float(CAP)), (1.0, float(CAP)))
"""(share of the texts, tokens): p50 and p90, and the share that reaches the cap."""
_LONGEST = 2 * CAP
"""Tokens of the longest docstring taken; more would measure how texts are cut, not embedded."""
_SHORTEST = 4
_SKIPPED = {"test", "tests", "idlelib", "lib2to3", "pydoc_data", "site-packages", "ensurepip"}


def load_mix(path: Path = FILE) -> list[str]:
    """Read the texts.

    Raises:
        SystemExit: They are not the pinned ones, so figures could not be compared.
    """
    texts: list[str] = json.loads(path.read_text(encoding="utf-8"))["texts"]
    found = digest_of(texts)
    if found != DIGEST:
        raise SystemExit(f"{path} has the digest {found}, not {DIGEST}: restore it from git")
    return texts


def digest_of(texts: list[str]) -> str:
    """The digest of some texts in their order."""
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()


# --- how it was sampled ----------------------------------------------------------------------


def _docstrings() -> list[str]:
    """Every docstring of the standard library's Python files, once, in the order of the files."""
    root = Path(sysconfig.get_path("stdlib"))
    files = (path for path in sorted(root.rglob("*.py")) if not _skipped(path.relative_to(root)))
    found = (text for path in files for text in _docstrings_of(path))
    return list(dict.fromkeys(found))


def _skipped(path: Path) -> bool:
    return not _SKIPPED.isdisjoint(path.parts)


def _docstrings_of(path: Path) -> Iterator[str]:
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    for node in ast.walk(ast.parse(path.read_bytes())):
        text = ast.get_docstring(node, clean=False) if isinstance(node, kinds) else None
        cleaned = inspect.cleandoc(text) if text else ""
        if cleaned and cleaned.isascii():
            yield cleaned


def _targets() -> NDArray[np.int64]:
    """Token counts wanted: log-linear between the knots, begun where the mean comes out right."""
    import numpy as np

    low, high = float(_SHORTEST), _KNOTS[0][1]
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if _quantiles(middle).mean() < _MEAN else (low, middle)
    return np.rint(_quantiles(low)).astype(np.int64)


def _quantiles(shortest: float) -> NDArray[np.float64]:
    import numpy as np

    shares, tokens = zip((0.0, shortest), *_KNOTS, strict=True)
    return np.exp(np.interp(np.linspace(0, 1, _SIZE), shares, np.log(tokens)))


def _sample(texts: list[str], counts: NDArray[np.int64]) -> list[str]:
    """For each target a text of that count, or the nearest count that is left, drawn at random."""
    import numpy as np

    draw = np.random.default_rng(_SEED)
    kept = np.minimum(counts, CAP)
    free = (counts >= _SHORTEST) & (counts <= _LONGEST)
    chosen = []
    for target in _targets():
        distance = np.where(free, np.abs(kept - target), np.iinfo(np.int64).max)
        place = int(draw.choice(np.flatnonzero(distance == distance.min())))
        free[place] = False
        chosen.append(texts[place])
    return [chosen[place] for place in draw.permutation(_SIZE)]


def _count(texts: list[str]) -> NDArray[np.int64]:
    import hotbed

    with hotbed.load(MODEL) as model:
        return model.count_tokens(texts)


def _describe(counts: NDArray[np.int64]) -> dict[str, float]:
    import numpy as np

    kept = np.minimum(counts, CAP)
    return {
        "texts": len(kept),
        "mean": round(float(kept.mean()), 2),
        "p50": float(np.percentile(kept, 50)),
        "p90": float(np.percentile(kept, 90)),
        "max": int(kept.max()),
        "cut": int((counts > CAP).sum()),
        "total": int(kept.sum()),
    }


def main() -> None:
    """Tell the statistics of the mix; with ``--write``, sample it first."""
    parser = argparse.ArgumentParser(description="Describe the standard mix, or sample it again.")
    parser.add_argument("--write", action="store_true", help=f"sample it again into {FILE.name}")
    if parser.parse_args().write:
        candidates = _docstrings()
        texts = _sample(candidates, _count(candidates))
        value = {
            "source": "docstrings of the Python standard library, PSF License Agreement",
            "python": platform.python_version(),
            "tokens": _describe(_count(texts)),
            "texts": texts,
        }
        FILE.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8", newline="\n")
    texts = json.loads(FILE.read_text(encoding="utf-8"))["texts"]
    print(f"sha256 {digest_of(texts)} (pinned: {DIGEST})")
    print(_describe(_count(texts)))


if __name__ == "__main__":
    main()
