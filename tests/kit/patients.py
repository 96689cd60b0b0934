"""Install a backend made of source text, and run the kit on it in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from attrs import frozen

from tests.distributions import install

__all__ = ["Outcome", "examine"]


@frozen
class Outcome:
    """What a run of the kit gave.

    Attributes:
        code: pytest's exit code.
        text: What it printed.
        report: What ``--hotbed-report`` wrote.
    """

    code: int
    text: str
    report: dict[str, Any]

    @property
    def failed(self) -> set[str]:
        """The tests that failed."""
        return {
            result["test"]
            for backend in self.report["backends"]
            for result in backend["not passed"]
            if result["outcome"] == "failed"
        }


def examine(
    place: Path, source: str, *arguments: str, name: str = "patient", tests: str = ""
) -> Outcome:
    """Run the kit on a backend.

    Args:
        place: An empty folder.
        source: The backend's module.
        arguments: For pytest.
        name: The backend's name.
        tests: A test module's source that is run instead of the zero-code suite.
    """
    site, report = place / "site", place / "report.json"
    group = {"hotbed.backends": {name: f"{name}_backend"}}
    install(site, f"hotbed-{name}", group, {f"{name}_backend": source})
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q"]
    if tests:
        (place / "test_it.py").write_text(tests, encoding="utf-8")
        command += ["test_it.py"]
    else:
        command += ["--pyargs", "hotbed.testing.suite", "--hotbed-backend", name]
    done = subprocess.run(
        [*command, "--hotbed-report", str(report), *arguments],
        cwd=place,
        env={**os.environ, "PYTHONPATH": str(site), "PYTHONWARNINGS": "default"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    written = json.loads(report.read_text("utf-8")) if report.exists() else {"backends": []}
    return Outcome(done.returncode, done.stdout + done.stderr, written)
