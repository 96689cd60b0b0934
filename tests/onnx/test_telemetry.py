"""No telemetry: what a load leaves in a home that nobody used before."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hotbed.child_processes import run_python

LOAD = """
import os, sys, hotbed
with hotbed.load(sys.argv[1]) as model:
    model.encode("hello")
print(os.environ["ORT_DISABLE_TELEMETRY"])
"""


def test_a_load_leaves_nothing_in_a_fresh_home(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """onnxruntime 1.32 keeps a device id and a database of events, unless told not to."""
    fresh = tmp_path / "fresh"
    fresh.mkdir()
    monkeypatch.setenv("HOME", str(fresh))
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.delenv("ORT_DISABLE_TELEMETRY", raising=False)
    done = run_python(["-c", LOAD, str(tiny)])
    assert done.stdout.strip() == "1", done.stderr
    assert [path for path in fresh.rglob("*") if path.is_file()] == []


def test_what_the_user_set_stays(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who wants the telemetry of onnxruntime keeps it."""
    monkeypatch.setenv("ORT_DISABLE_TELEMETRY", "0")
    monkeypatch.setenv("HOME", os.environ["HOTBED_HOME"])
    assert run_python(["-c", LOAD, str(tiny)]).stdout.strip() == "0"
