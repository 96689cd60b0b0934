"""Every console example of the documentation runs and prints what it shows."""

from __future__ import annotations

import doctest
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import hotbed
from tests.default_model import require_default_model

ROOT = Path(__file__).parents[2]
PAGES = sorted(page for page in ROOT.glob("docs/*.md") if ">>>" in page.read_text(encoding="utf-8"))


@pytest.fixture
def default_model() -> Iterator[None]:
    """The default model under HOTBED_HOME; skipped where it was not fetched."""
    require_default_model()
    yield
    hotbed.refresh()


@pytest.mark.usefixtures("default_model")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_examples_of_a_page_run(page: Path) -> None:
    """The ``>>>`` examples give what the page shows, down to the shapes and the errors."""
    options = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    text = re.sub(r"^```(pycon)?$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    test = doctest.DocTestParser().get_doctest(text, {}, page.name, str(page), 0)
    report: list[str] = []
    results = doctest.DocTestRunner(optionflags=options).run(test, out=report.append)
    assert results.attempted > 0
    assert results.failed == 0, "".join(report)


def test_ci_runs_the_readmes_test_command() -> None:
    """.ci/run holds the second command of the README, word for word."""
    commands = re.findall(
        r"^```\n(.+)\n```$", (ROOT / "README.md").read_text(encoding="utf-8"), re.M
    )
    assert len(commands) == 2
    assert commands[1].endswith("nox")
    assert commands[1] in (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()


def test_links_between_pages_lead_somewhere() -> None:
    """Every relative link of the README and of docs/ names a file that exists."""
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("docs/*.md")]:
        for link in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / link).exists(), f"{page.name} links to {link}"
