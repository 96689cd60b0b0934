"""Write docs/backends.md from the reports of the compliance kit.

pytest --pyargs hotbed.testing.suite --hotbed-backend NAME --hotbed-report docs/reports/NAME.json
python tools/backends_table.py [--check]
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

__all__ = ["PAGE", "REPORTS", "render"]

DOCS = Path(__file__).parents[1] / "docs"
REPORTS = DOCS / "reports"
PAGE = DOCS / "backends.md"

_HEAD = """# Backends, and what each has proved

Made by `tools/backends_table.py` from the reports of the compliance kit (`--hotbed-report`);
nothing in the tables was written by hand. A case is one thing that a manifest declares: format or
profile, device, arithmetic. *Passed* counts the kit's tests of it; a *gap* is a test that could not
run where the report was made, with the reason below. Devices that no report names are untested.

"""
_WORDS = {
    "manifest": "declares",
    "embed": "embeds",
    "convert": "converts",
    "quantize": "quantises",
}


def main() -> int:
    """Write the page, or check that it is what would be written."""
    parser = argparse.ArgumentParser(description="Write docs/backends.md.")
    parser.add_argument("--check", action="store_true", help="only say whether it is stale")
    page = render(sorted(REPORTS.glob("*.json")))
    if not parser.parse_args().check:
        PAGE.write_text(page, encoding="utf-8")
    elif not PAGE.exists() or PAGE.read_text(encoding="utf-8") != page:
        sys.stderr.write("docs/backends.md is stale: python tools/backends_table.py\n")
        return 1
    return 0


def render(reports: list[Path]) -> str:
    """The page for some reports."""
    parts = [_HEAD]
    for path in reports:
        report = json.loads(path.read_text(encoding="utf-8"))
        parts += [_section(backend, report) for backend in report["backends"]]
    return "".join(parts).rstrip() + "\n"


def _section(backend: dict[str, Any], report: dict[str, Any]) -> str:
    where = f"hotbed {report['hotbed']}, Python {report['python']}, {report['platform']}"
    missed = backend["not passed"]
    lines = [
        f"## {backend['backend']}\n",
        f"{backend['summary']}.\n",
        f"Distribution `{backend['distribution']}` {backend['version']}; tested with {where}.\n",
        "| | case | passed | gaps | known faults | failed |",
        "|---|---|---|---|---|---|",
    ]
    order = list(_WORDS)
    for cell in sorted(backend["capabilities"], key=lambda cell: order.index(cell["suite"])):
        counts = [
            str(cell["results"].get(outcome, "")) or "–"
            for outcome in ("passed", "gap", "known fault", "failed")
        ]
        case = cell["case"].replace("-", " · ") or "manifest and module"
        lines.append(f"| {_WORDS[cell['suite']]} | {case} | {' | '.join(counts)} |")
    reasons = sorted(
        {f"- {r['outcome']}: {_WORDS[r['suite']]} {r['case']}: {r['reason']}" for r in missed}
    )
    if reasons:
        lines += ["", *reasons]
    return "\n".join([*lines, "", ""])


if __name__ == "__main__":
    raise SystemExit(main())
