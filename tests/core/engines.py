"""Embedding backends in numpy, installed as distributions: slow, rounded, wrong or broken ones."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from hotbed.backends.catalog import BACKENDS
from tests.distributions import install

__all__ = ["Install", "engines"]

Install = Callable[..., None]
"""``install(name, pause=…, …)`` installs an engine; the arguments are those of ``_source``."""

_CODE = """
import time
import numpy as np
from hotbed import reference
from hotbed.backends import Capability, Loaded, Manifest, hookimpl
from hotbed.errors import UnsupportedModelError

HOTBED = Manifest(name=NAME, hook_api=1, capabilities=[
    Capability(action="embed", formats="safetensors", dtypes=DTYPES, priority=PRIORITY)
])
opened, closed, calls = [], [], []

@hookimpl
def hotbed_load(artifact, options):
    if FAULT == "load":
        raise UnsupportedModelError(f"{NAME} cannot open this")
    opened.append(options.dtype)
    return Loaded(
        handle=artifact.folder, device=options.device, provider="numpy", dtype=options.dtype,
        outputs=("token_embeddings",), dimension=32, token_budget=96,
    )

@hookimpl
def hotbed_embed(loaded, batch):
    time.sleep(PAUSE)
    calls.append(batch.input_ids.size)
    if FAULT == "interrupt" and len(calls) > 20:
        raise KeyboardInterrupt
    if FAULT == "embed" and len(calls) > 20:
        raise RuntimeError("out of luck")
    tokens = reference.token_embeddings(loaded.handle, batch)
    if loaded.dtype == "bfloat16":
        tokens = (tokens.view(np.uint32) & np.uint32(0xFFFF0000)).view(np.float32)
    if FAULT == "wrong":
        tokens = np.tanh(tokens)
    if FAULT == "nan":
        tokens = tokens * np.nan
    return {"token_embeddings": tokens}

@hookimpl
def hotbed_close(loaded):
    closed.append(loaded.dtype)
"""


def _source(
    name: str,
    *,
    pause: float = 0.0,
    dtypes: tuple[str, ...] = ("float32",),
    priority: int = 0,
    fault: str = "",
) -> str:
    settings = {
        "NAME": name,
        "PAUSE": pause,
        "DTYPES": dtypes,
        "PRIORITY": priority,
        "FAULT": fault,
    }
    return "\n".join([*(f"{key} = {value!r}" for key, value in settings.items()), _CODE])


@pytest.fixture
def engines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Install engines of these: ``pause`` in seconds a batch; ``fault`` is where it goes wrong."""
    site = tmp_path / "site"
    monkeypatch.syspath_prepend(str(site))

    def add(name: str, **options: Any) -> None:
        module, source = f"engine_{name}", _source(name, **options)
        # Whatever is imported under the name now is forgotten, and again after the test.
        monkeypatch.setitem(sys.modules, module, ModuleType(module))
        monkeypatch.delitem(sys.modules, module)
        if (site / f"{module}.py").exists():  # the same version, other code
            (site / f"{module}.py").write_text(source, encoding="utf-8")
        else:
            install(site, f"dist-{name}", {BACKENDS: {name: module}}, {module: source})

    return add
