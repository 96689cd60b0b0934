"""The tables of docs/quantisation.md are those of the code."""

from __future__ import annotations

from pathlib import Path

import pytest

from hotbed.models.layout import onnx_suffixes
from hotbed_onnx.quantising.recipes import RECIPES, Way, file_stem

PAGE = Path(__file__).parents[2] / "docs" / "quantisation.md"


@pytest.fixture(scope="module")
def rows() -> list[list[str]]:
    """The cells of every row of every table."""
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    table = [line for line in lines if line.startswith("|") and not line.startswith("|---")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table]


@pytest.mark.parametrize("way", RECIPES, ids=lambda way: way.recipe)
def test_every_recipe_has_its_row(rows: list[list[str]], way: Way) -> None:
    """Dtype, recipe, file, what is done and what a CPU needs stand as the code has them."""
    (row,) = [row for row in rows if row[1] == f"`{way.recipe}`"]
    dtype = {"float16": "fp16"}.get(way.dtype, way.dtype)
    assert row == [
        f"`{dtype}`",
        f"`{way.recipe}`",
        f"`{file_stem(way, 'portable')}.onnx`",
        way.what,
        way.cpu,
    ]


@pytest.mark.parametrize("suffix", sorted(set(onnx_suffixes()) - {""}))
def test_every_name_that_is_read_is_told(rows: list[list[str]], suffix: str) -> None:
    """A suffix that the layout reads stands in a table, hotbed's own or others'."""
    named = " ".join(cell for row in rows for cell in row)
    assert f"model{suffix}.onnx" in named or f"`{suffix.removeprefix('_')}`" in named
