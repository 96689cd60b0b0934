"""A real distribution that takes the process down when it is imported.

It is never installed beside hotbed, where it would end every test run. ``DISTS_CRASHES`` names the
DIR of ``pip install --no-deps --target DIR tests/dists/hotbed-crashes``.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from hotbed.testing import build_tiny
from tests.isolation import child_environment

VARIABLE = "DISTS_CRASHES"
pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals are POSIX")


@pytest.fixture
def crashes() -> Path:
    """The folder that holds the distribution."""
    folder = Path(os.environ.get(VARIABLE) or "nowhere")
    if not (folder / "hotbed_crashes.py").is_file():
        why = f"{VARIABLE} does not name a folder with hotbed-crashes: {os.environ.get(VARIABLE)!r}"
        if "dists" in os.environ.get("HOTBED_REQUIRE", "").split(","):
            pytest.fail(why)
        pytest.skip(why)
    return folder


def command(crashes: Path, *arguments: object, **env: str) -> subprocess.CompletedProcess[str]:
    """Run ``hotbed`` in a process that finds the distribution."""
    path = os.pathsep.join(filter(None, (str(crashes), os.environ.get("PYTHONPATH"))))
    return subprocess.run(
        [sys.executable, "-m", "hotbed", *map(str, arguments)],
        capture_output=True,
        text=True,
        env=child_environment(COLUMNS="120", NO_COLOR="1", PYTHONPATH=path, **env),
        check=False,
    )


def the_row(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """Its row in doctor's report."""
    rows = json.loads(done.stdout)["backends"]
    (row,) = (row for row in rows if row["distribution"] == "hotbed-crashes")
    assert isinstance(row, dict)
    return row


def test_it_does_take_the_process_down(crashes: Path) -> None:
    """Nothing in Python can catch it: whoever lists the plugins here is killed."""
    assert command(crashes, "backends").returncode == -signal.SIGSEGV


def test_doctor_finds_it_and_lives(crashes: Path) -> None:
    """The signal, the step, the line, the distribution and the fix are told; the rest works."""
    done = command(crashes, "doctor", "--isolated", "--json")
    row = the_row(done)
    assert done.returncode == 1, done.stderr
    assert (row["name"], row["version"], row["state"]) == ("crashes", "1.0", "crashes")
    assert row["reason"].startswith(
        "killed by SIGSEGV while importing hotbed_crashes; in string_at"
    )
    assert "hotbed_crashes.py:" in row["reason"]
    assert row["fix"].endswith("keep it out: HOTBED_BLOCKED=crashes")
    own = [r for r in json.loads(done.stdout)["backends"] if r["distribution"] == "hotbed"]
    assert {r["name"]: r["state"] for r in own} == {"onnx_cpu": "works", "pytorch": "not installed"}
    shown = command(crashes, "doctor", "--isolated").stdout
    assert "killed by SIGSEGV while importing hotbed_crashes" in " ".join(shown.split())


def test_the_fix_mends_it(crashes: Path, tmp_path: Path) -> None:
    """Blocked as doctor says, it is never imported: everything works, and a model loads."""
    env = {"HOTBED_BLOCKED": "crashes"}
    assert the_row(command(crashes, "doctor", "--json", **env))["state"] == "blocked"
    assert command(crashes, "backends", **env).returncode == 0
    model = build_tiny(tmp_path / "tiny")
    done = command(crashes, "embed", "-m", model, "the cat", **env)
    assert (done.returncode, len(done.stdout.splitlines())) == (0, 1), done.stderr
