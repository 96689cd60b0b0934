"""The example of BGE-M3 in ``docs/usage.md`` runs, on a tiny model of that name."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hotbed
from hotbed.testing.tiny_m3 import build_m3

PAGE = Path(__file__).parents[2] / "docs" / "usage.md"


def test_the_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Line by line; an expression alone is what its comment says."""
    build_m3(tmp_path / "bge-m3", colbert=32)
    monkeypatch.chdir(tmp_path)
    page = PAGE.read_text(encoding="utf-8")
    section = page.partition("## Sparse and ColBERT vectors")[2]
    code = re.findall(r"^```python\n(.*?)^```", section, re.M | re.S)[0]
    names: dict[str, Any] = {"hotbed": hotbed}
    exec(compile(code, str(PAGE), "exec"), names)
    found, sparse = names["found"], names["sparse"]
    assert found["dense"].shape == (2, 32)
    assert sparse.as_dict() == dict(zip(sparse.indices, sparse.values, strict=True))
    np.testing.assert_allclose(np.linalg.norm(found["colbert"][0], axis=1), 1, rtol=1e-5)
    assert eval(code.strip().splitlines()[-1], names) <= 1 + 1e-5
