"""The fuzzer itself: each kind of fault, planted into a target, is found under its name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fuzz.planted import PLANTED
from tests.fuzz.schedule import Case
from tests.fuzz.seeds import SEEDS
from tests.fuzz.session import Session

KINDS = {
    "key error": "foreign",
    "panic": "foreign",
    "exit": "foreign",
    "write home": "write",
    "write natively": "write",
    "write model": "write",
    "read secret": "read",
    "hang": "hang",
    "kill": "signal",
    "grow": "growth",
    "fill": "growth",
    "process": "process",
    "network": "network",
    "run code": "code",
    "unpickle": "code",
    "traceback": "traceback",
    "escape": "traceback",
    "not finite": "not finite",
    "neighbours": "neighbours",
    "other vectors": "vectors",
    "other width": "vectors",
}
SEED = next(seed for seed in SEEDS if seed.name == "family-bert")


@pytest.fixture(scope="module")
def session(place: Path) -> Iterator[Session]:
    """A session that does not wait long."""
    with Session(place=place, seconds=10.0) as session:
        yield session


def case_of(fault: str) -> Case:
    """A case in which nothing is changed, and a target with a fault reads it."""
    return Case(number=0, session=0, seed=SEED, target=f"planted {fault}", kept=())


def test_every_planted_fault_has_its_kind() -> None:
    """None is left out below."""
    assert set(KINDS) == set(PLANTED)


@pytest.mark.parametrize("fault", KINDS)
def test_a_planted_fault_is_found(fault: str, session: Session) -> None:
    """It is found as what it is; and the next case, on a sound target, finds nothing."""
    found = session.run_one(case_of(fault)).findings
    assert KINDS[fault] in {finding.kind for finding in found}, found
    sound = session.run_one(Case(number=1, session=0, seed=SEED, target="load", kept=()))
    assert (sound.outcome, sound.findings) == ("accepted", ())
