"""Files as strangers make them never do harm, and are never silently misread."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fuzz.oracle import Finding
from tests.fuzz.report import describe, shrink
from tests.fuzz.schedule import Case, draw, group_of, prepare
from tests.fuzz.seeds import GROUPS, SEEDS, Seed
from tests.fuzz.session import Outcome, Session


@pytest.fixture(scope="module")
def session(place: Path, keep: Path | None) -> Iterator[Session]:
    """One worker for all tests of this file."""
    with Session(place=place, keep=keep) as session:
        yield session


@pytest.mark.parametrize("group", GROUPS)
def test_changed_files_do_no_harm(
    group: str, session: Session, numbers: range, session_seed: int
) -> None:
    """Every changed file is refused with an error of ours, or read for what it is."""
    found: dict[tuple[str, str], tuple[Outcome, Finding]] = {}
    outcomes = set()
    for number in numbers:
        if group_of(number) != group:
            continue
        outcome = session.run_one(draw(number, session_seed))
        outcomes.add(outcome.outcome)
        for finding in outcome.findings:
            key = (finding.kind, finding.where)
            if key not in found:
                found[key] = shrink(session, outcome, finding), finding
    reports = "\n\n".join(describe(*pair) for pair in found.values())
    assert not found, f"{len(found)} kinds of findings:\n\n{reports}"
    # A round in which everything is refused, or nothing, has tried nothing.
    assert len(numbers) < 300 or {"accepted", "refused"} <= outcomes, outcomes


@pytest.mark.parametrize("seed", SEEDS, ids=[seed.name for seed in SEEDS])
def test_unchanged_files_are_right(seed: Seed, session: Session) -> None:
    """What nobody changed is accepted by every target, with the reference's vectors."""
    # Every family is loaded; what else reads a folder reads each in the same way.
    several = seed.group != "models" or seed.name == "family-bert"
    for target in dict.fromkeys(seed.targets if several else seed.targets[:1]):
        case = Case(number=0, session=0, seed=seed, target=target, kept=())
        outcome = session.run_one(case)
        assert not outcome.findings, describe(outcome, outcome.findings[0])
        assert outcome.outcome == "accepted", outcome.answer


def test_a_case_is_what_its_number_says(place: Path, tmp_path: Path) -> None:
    """A case prepared again changes the same bytes of the same file."""
    for number in range(60):
        case = draw(number, 3)
        assert case == draw(number, 3)
        folders = [tmp_path / name / str(number) for name in "ab"]
        for folder in folders:
            folder.mkdir(parents=True)
        first, second = (
            prepare(case, place / "seeds", folder / "files", place / "sentinel" / "home")
            for folder in folders
        )
        assert first == second
