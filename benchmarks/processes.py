"""A process of its own for each run: wall time and peak memory as the system reports them."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Case", "Environment", "medians", "run_process", "surroundings"]

Environment = dict[str, str]


@dataclass(kw_only=True)
class Case:
    """One kind of process.

    Attributes:
        name: As in the table.
        code: What the process runs.
        arguments: Its arguments; ``{work}`` stands for an empty folder.
        needs: Packages without which it is absent.
        fresh_home: Whether HOTBED_HOME holds the sources only, and no converted graph.
        prints: What the numbers are called that the process prints; what else it prints is left.
        runs: One dict of figures a run.
    """

    name: str
    code: str
    arguments: tuple[str, ...] = ()
    needs: tuple[str, ...] = ("hotbed", "onnxruntime")
    fresh_home: bool = False
    prints: tuple[str, ...] = ()
    runs: list[dict[str, float]] = field(default_factory=list)


@contextmanager
def surroundings(case: Case, home: Path) -> Iterator[tuple[Environment, Path]]:
    """The child's variables and an empty folder; where asked for, a home without any graph."""
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        environment = dict(os.environ, HF_HUB_OFFLINE="1", PYTHONPATH=str(Path(__file__).parent))
        # A peer's PyTorch stands beside hotbed here, and would be what the gate compares with.
        environment["HOTBED_BLOCKED"] = "pytorch"
        if case.fresh_home:
            fresh = work / "home"
            fresh.mkdir()
            if (home / "sources").exists():
                (fresh / "sources").symlink_to(home / "sources", target_is_directory=True)
            environment["HOTBED_HOME"] = str(fresh)
        yield environment, work


def run_process(case: Case, environment: Environment, work: Path) -> dict[str, float]:
    """Run one process to its end; its own peak is what the system reports for it alone."""
    arguments = [argument.format(work=work) for argument in case.arguments]
    with (work / "stderr").open("w+", encoding="utf-8") as errors:
        start = time.perf_counter()
        child = subprocess.Popen(
            [sys.executable, "-c", case.code, *arguments],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=errors,
        )
        assert child.stdout is not None
        printed = child.stdout.read().decode()
        _, status, usage = os.wait4(child.pid, 0)
        wall = time.perf_counter() - start
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            errors.seek(0)
            raise SystemExit(f"{case.name}: ended with {child.returncode}\n{errors.read()}")
    unit = 1 if sys.platform == "darwin" else 1024  # ru_maxrss: bytes there, KiB elsewhere
    figures = {"wall_s": wall, "peak_mb": usage.ru_maxrss * unit / 1e6}
    return figures | dict(zip(case.prints, map(float, printed.split()), strict=bool(case.prints)))


def medians(runs: list[dict[str, float]]) -> dict[str, dict[str, float]]:
    """Median, least and most of each figure."""
    pick: dict[str, Callable[[list[float]], float]] = {
        "median": statistics.median,
        "min": min,
        "max": max,
    }
    return {
        key: {word: of([run[key] for run in runs]) for word, of in pick.items()} for key in runs[0]
    }
