"""The kit inside pytest: skips are held to their rule, and results are written down."""

from __future__ import annotations

import inspect
import json
import platform
from collections.abc import Generator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from hotbed.loading import default_house
from hotbed.publishing import publish_file
from hotbed.testing.base import Suite
from hotbed.testing.cases import NOTHING, Case
from hotbed.testing.gaps import Gap

__all__ = ["Kit", "leave_out"]


def leave_out(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect suites of actions that the manifest does not declare, and the heavy set."""
    heavy = config.getoption("hotbed_heavy")
    out = [
        item
        for item in items
        if _case(item) == NOTHING
        or (_suite(item) and not heavy and item.get_closest_marker("hotbed_heavy"))
    ]
    if out:
        config.hook.pytest_deselected(items=out)
        items[:] = [item for item in items if item not in out]


class Kit:
    """A pytest plugin, registered where a suite of the kit was collected."""

    def __init__(self, config: pytest.Config) -> None:
        self._require = bool(config.getoption("hotbed_require"))
        self._file = config.getoption("hotbed_report")
        self._results: list[dict[str, str]] = []

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Turn a skip that is no declared gap into a failure, and note the result."""
        report = yield
        if not _suite(item):
            return report
        if report.skipped and not hasattr(report, "wasxfail"):
            refusal = self._refusal(call)
            if refusal:
                report.outcome = "failed"
                report.longrepr = refusal
        if report.when == "call" or report.outcome != "passed":
            self._note(item, report)
        if report.failed and (advice := inspect.getdoc(item.obj)):  # type: ignore[attr-defined]
            report.sections.append(("what that means", advice))
        return report

    def _refusal(self, call: pytest.CallInfo[None]) -> str:
        skipped = call.excinfo.value if call.excinfo else None
        if not isinstance(skipped, Gap):
            return (
                f"a test of the kit was skipped by something else than a declared gap: {skipped}. "
                f"State a known fault with @pytest.mark.xfail(strict=True, reason=…)"
            )
        return f"--hotbed-require: {skipped}" if self._require else ""

    def _note(self, item: pytest.Item, report: pytest.TestReport) -> None:
        case = _case(item)
        outcome: str = report.outcome
        if hasattr(report, "wasxfail"):
            outcome = "known fault"
        elif report.skipped:
            outcome = "gap"
        self._results.append(
            {
                "backend": _name(item),
                "suite": _suite_name(item.cls),  # type: ignore[attr-defined]
                "case": str(case) if isinstance(case, Case) else "",
                "test": getattr(item, "originalname", item.name),
                "outcome": outcome,
                "reason": _reason(report),
            }
        )

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say how much was not tested."""
        gaps = sum(1 for result in self._results if result["outcome"] == "gap")
        if gaps:
            terminalreporter.write_line(
                f"hotbed: {gaps} tests did not run here (-rs lists why); with --hotbed-require "
                f"they fail"
            )

    def pytest_sessionfinish(self) -> None:
        """Write the report, if one was asked for."""
        if not self._file:
            return
        names = sorted({result["backend"] for result in self._results})
        value = {
            "hotbed": version("hotbed"),
            "python": platform.python_version(),
            "platform": f"{platform.system()} {platform.machine()}",
            "backends": [self._of(name) for name in names],
        }
        with publish_file(Path(self._file).absolute()) as place:
            place.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", "utf-8")

    def _of(self, name: str) -> dict[str, Any]:
        found = next(item for item in default_house().backends.found() if item.name == name)
        mine = [result for result in self._results if result["backend"] == name]
        cells: dict[tuple[str, str], dict[str, int]] = {}
        for result in mine:
            if not result["case"] and result["suite"] != "manifest":
                continue  # the rule against lost tests is nobody's capability
            cell = cells.setdefault((result["suite"], result["case"]), {})
            cell[result["outcome"]] = cell.get(result["outcome"], 0) + 1
        return {
            "backend": name,
            "distribution": found.dist,
            "version": found.version,
            "summary": found.manifest.summary if found.manifest else "",
            "capabilities": [
                {"suite": suite, "case": case, "results": counts}
                for (suite, case), counts in sorted(cells.items())
            ],
            "not passed": [r for r in mine if r["outcome"] != "passed"],
        }


def _suite(item: pytest.Item) -> bool:
    """Whether an item is a test of the kit, and not one that an author added beside them."""
    cls = getattr(item, "cls", None)
    if not (isinstance(cls, type) and issubclass(cls, Suite)):
        return False
    return any(getattr(item, "originalname", "") in vars(ours) for ours in _ours(cls))


def _ours(cls: type) -> list[type]:
    return [base for base in cls.__mro__ if base.__module__.startswith("hotbed.testing.")]


def _suite_name(cls: type) -> str:
    """``embed`` for whatever is made of EmbedSuite."""
    return next(c.__name__ for c in _ours(cls) if c.__name__.endswith("Suite"))[:-5].lower()


def _case(item: pytest.Item) -> Any:
    callspec = getattr(item, "callspec", None)
    return callspec.params.get("case") if callspec else None


def _name(item: pytest.Item) -> str:
    suite: type[Suite] = item.cls  # type: ignore[attr-defined]
    return suite._named(item.config)


def _reason(report: pytest.TestReport) -> str:
    if report.outcome == "passed":
        return ""
    if isinstance(report.longrepr, tuple):
        return report.longrepr[2]
    crash = getattr(report.longrepr, "reprcrash", None)
    return str(crash.message if crash else report.longrepr).splitlines()[0]
