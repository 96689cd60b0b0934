"""Run ``hotbed`` as a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from hotbed.testing import build_tiny

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A HOTBED_HOME of the test's own."""
    return tmp_path / "home"


@pytest.fixture
def hotbed(home: Path, tmp_path: Path) -> Run:
    """Call the command line in ``tmp_path``; never raises for an exit code."""

    def run(
        *arguments: object, stdin: str | None = None, **env: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-W", "error", "-m", "hotbed", *map(str, arguments)],
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            text=True,
            encoding="utf-8",
            cwd=tmp_path,
            timeout=120,
            check=False,
            env={**os.environ, "HOTBED_HOME": str(home), "COLUMNS": "200", **env},
        )

    return run


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """A tiny model folder with prompts."""
    return build_tiny(tmp_path / "tiny", prompts={"query": "query : ", "document": "document : "})
