"""Cases handed to a worker one by one, and what became of each."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from attrs import define, field, frozen

from tests.fuzz.expectations import expected
from tests.fuzz.oracle import Finding, judge
from tests.fuzz.place import lay_out
from tests.fuzz.process import Lost, WorkerProcess
from tests.fuzz.schedule import Case, Step, prepare
from tests.fuzz.seeds import read_seeds
from tests.fuzz.snapshot import Snapshot, copy_shallow, differences, disk_size, snapshot

__all__ = ["SECONDS", "Outcome", "Session"]

SECONDS = 90.0
"""What one case may take by the clock, which is hundreds of times what one needs."""

_RECYCLE = 150
"""Cases of one worker; what leaks a little in each is the next worker's no longer."""


@frozen(kw_only=True)
class Outcome:
    """What became of a case.

    Attributes:
        case: The case.
        steps: What was changed.
        findings: The faults.
        outcome: ``accepted``, ``refused``, ``foreign``, ``died``, ``hung``, or ``skipped``.
        answer: What the worker said.
    """

    case: Case
    steps: tuple[Step, ...]
    findings: tuple[Finding, ...]
    outcome: str
    answer: dict[str, Any] = field(factory=dict, repr=False)


@define(eq=False)
class Session:
    """A worker, and the folders around it.

    Attributes:
        place: A folder of the session's own, in which the seeds were built.
        seconds: What one case may take by the clock.
        keep: Where the folders of cases with findings are kept.
    """

    place: Path
    seconds: float = SECONDS
    keep: Path | None = None
    _worker: WorkerProcess = field(init=False)
    _known: dict[str, dict[str, Any]] = field(factory=dict)
    _own: Snapshot = field(factory=dict)

    @_worker.default
    def _new_worker(self) -> WorkerProcess:
        return WorkerProcess(place=self.place, seconds=self.seconds, recycle=_RECYCLE)

    def __enter__(self) -> Session:
        self._known = read_seeds(self.place / "seeds")
        self._own = snapshot(self.place / "sentinel")
        return self

    def __exit__(self, *_: object) -> None:
        self._worker.end()

    def run_one(self, case: Case) -> Outcome:
        """Run one case; what it is stands in its folder before it begins."""
        folder = self.place / "cases" / str(case.number)
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "scratch").mkdir(parents=True)
        home = self.place / "sentinel" / "home"
        steps = tuple(prepare(case, self.place / "seeds", folder / "files", home))
        if not steps and case.kept is None:
            shutil.rmtree(folder)
            return Outcome(case=case, steps=(), findings=(), outcome="skipped")
        record = "\n".join([f"{case.target} of {case.seed.name}", *map(str, steps)])
        (folder / "case.txt").write_text(ascii(record), encoding="utf-8")
        before = snapshot(folder / "files")
        answer = self._worker.ask(self._order(case, folder))
        found = [*self._judged(case, steps, answer, folder), *self._written(case, folder, before)]
        findings = tuple(f for f in found if expected(case, steps, f) is None)
        if findings and self.keep is not None:
            kept = self.keep / str(case.number)
            shutil.rmtree(kept, ignore_errors=True)
            shutil.copytree(folder, kept, symlinks=True, copy_function=copy_shallow)
        shutil.rmtree(folder)
        if isinstance(answer, Lost):
            outcome = "hung" if answer.hung else "died"
            return Outcome(case=case, steps=steps, findings=findings, outcome=outcome)
        return Outcome(
            case=case, steps=steps, findings=findings, outcome=answer["outcome"], answer=answer
        )

    def _order(self, case: Case, folder: Path) -> dict[str, Any]:
        writable = [self.place / "own", *([folder / "files"] if case.seed.writable else [])]
        return {
            "target": case.target,
            "folder": str(folder / "files"),
            "scratch": str(folder / "scratch"),
            "sentinel": str(self.place / "sentinel"),
            "writable": list(map(str, writable)),
        }

    def _judged(
        self, case: Case, steps: tuple[Step, ...], answer: dict[str, Any] | Lost, folder: Path
    ) -> list[Finding]:
        if isinstance(answer, Lost):
            where = answer.frames or f"{case.target} of {case.seed.name}"
            kind = "hang" if answer.hung else "signal"
            where = where if answer.hung else f"{answer.told} in {where}"
            return [Finding(kind=kind, told=answer.told, where=where, detail=answer.words)]
        answer["disk"] = disk_size(folder / "scratch") + disk_size(self.place / "own" / "tmp")
        right = self._known[case.seed.name]["vectors"]
        return judge(case, steps, answer, right, self._worker.printed)

    def _written(self, case: Case, folder: Path, before: Snapshot) -> list[Finding]:
        """What is not as it was: compared with the session's start, so that starting counts."""
        where, sentinel = f"{case.target} of {case.seed.name}", self.place / "sentinel"
        told = [f"{name} of the user's" for name in differences(self._own, snapshot(sentinel))]
        if told:
            self._worker.end()  # its current folder goes
            shutil.rmtree(sentinel)
            lay_out(self.place)
            self._own = snapshot(sentinel)
        if not case.seed.writable:
            after = snapshot(folder / "files")
            told += [f"{name} of the model" for name in differences(before, after)]
        return [Finding(kind="write", told=one, where=where) for one in told]
