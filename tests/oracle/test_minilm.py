"""all-MiniLM-L6-v2 on real text."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import hotbed
from hotbed import Embedder
from hotbed.errors import SourceError
from tests.oracle.pair import CUT, Pair

Vectors = NDArray[np.float32]

pytestmark = pytest.mark.filterwarnings(CUT)

MODULES = ("argparse", "collections", "random", "statistics", "textwrap", "zipfile")
ODD = ("", "a", " ", "naïve façade", "数据库", "🌱 seedlings", "[CLS] [SEP] [MASK]", "a\tb\n c")


@pytest.fixture(scope="module")
def texts() -> list[str]:
    """Docstrings of the standard library, one line to several pages, and some odd texts."""
    found = dict.fromkeys(ODD)
    for name in MODULES:
        found.update(dict.fromkeys(_docstrings(name)))
    return list(found)


def _docstrings(name: str) -> Iterator[str]:
    path = Path(ast.__file__).with_name(f"{name}.py")
    path = path if path.exists() else Path(ast.__file__).parent / name / "__init__.py"
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            docstring = ast.get_docstring(node)
            if docstring:
                yield docstring


@pytest.fixture(scope="module")
def minilm(required: frozenset[str], st: Callable[..., Any]) -> Pair:
    """The default model, from the home that ``HOTBED_HOME`` names; nothing is fetched."""
    try:
        model: Embedder = hotbed.load("all-MiniLM-L6-v2", local_files_only=True)
    except SourceError as error:
        if "model" in required:
            pytest.fail(f"HOTBED_REQUIRE names model: {error}")
        pytest.skip(f"all-MiniLM-L6-v2 is not in HOTBED_HOME: {error}")
    return Pair(st=st(model.folder.path), hotbed=model)


@pytest.fixture(scope="module")
def vectors(minilm: Pair, texts: list[str], torch: Any) -> tuple[Vectors, Vectors]:
    """The oracle's vectors of the texts, and hotbed's."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    expected = minilm.st.encode(texts)
    torch.set_num_threads(before)
    return expected, minilm.hotbed.encode(texts)


def test_real_text(minilm: Pair, texts: list[str], vectors: tuple[Vectors, Vectors]) -> None:
    """On standard-library docstrings every vector is sentence-transformers' own to 1e-4."""
    expected, actual = vectors
    assert len(texts) > 200
    assert minilm.hotbed.last_truncated > 0
    assert actual.shape == expected.shape == (len(texts), 384)
    assert np.abs(actual - expected).max() <= 1e-4
    cosines = (actual * expected).sum(1) / (
        np.linalg.norm(actual, axis=1) * np.linalg.norm(expected, axis=1)
    )
    assert cosines.min() >= 0.99999


def test_the_order_of_a_ranking(minilm: Pair, vectors: tuple[Vectors, Vectors]) -> None:
    """A query's ten nearest docstrings are sentence-transformers' ten, in its order."""
    query = "compute the median of some numbers"
    expected = minilm.st.similarity(minilm.st.encode_query(query), vectors[0]).numpy()
    actual = minilm.hotbed.similarity(minilm.hotbed.encode_query(query), vectors[1])
    assert np.argsort(-actual[0])[:10].tolist() == np.argsort(-expected[0])[:10].tolist()


def test_facts(minilm: Pair) -> None:
    """Width, limit, prompts and similarity are those that sentence-transformers reads."""
    model, oracle = minilm.hotbed, minilm.st
    assert model.get_embedding_dimension() == oracle.get_embedding_dimension() == 384
    assert model.max_seq_length == oracle.max_seq_length == 256
    assert model.prompts == oracle.prompts
    assert model.similarity_fn_name == oracle.similarity_fn_name
