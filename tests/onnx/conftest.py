"""Every test here runs in a home of its own, with onnxruntime and onnx."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import hotbed
from hotbed.testing import build_tiny
from tests.distributions import install
from tests.isolation import isolated

__all__ = ["isolated"]

RECORDER = '''
"""A wrapper that notes every call of a hook, and kills the process where it is told to."""
import os, signal
from hotbed.backends import hookimpl
CALLS = []

@hookimpl(wrapper=True)
def hotbed_convert(folder, target, out):
    result = yield
    CALLS.append(("convert", target.profile))
    if os.environ.get("ACME_KILL"):
        os.kill(os.getpid(), signal.SIGKILL)
    return result

@hookimpl(wrapper=True)
def hotbed_embed(batch, outputs):
    result = yield
    CALLS.append(("embed", *batch.input_ids.shape))
    return result

@hookimpl(wrapper=True)
def hotbed_close(loaded):
    result = yield
    CALLS.append(("close",))
    return result
'''


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """A tiny model folder: mean pooling, normalised."""
    return build_tiny(tmp_path / "tiny")


@pytest.fixture
def recorder_site(tmp_path: Path) -> Path:
    """A folder that holds the recorder's distribution; children get it through PYTHONPATH."""
    site = tmp_path / "site"
    groups = {"hotbed.wrappers": {"acme_recorder": "acme_recorder"}}
    install(site, "acme-recorder", groups, {"acme_recorder": RECORDER})
    return site


@pytest.fixture
def calls(recorder_site: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """Every hook call of this process, in order, as a real wrapper plugin sees them."""
    monkeypatch.syspath_prepend(str(recorder_site))
    hotbed.refresh()
    yield importlib.import_module("acme_recorder").CALLS
    del sys.modules["acme_recorder"]
