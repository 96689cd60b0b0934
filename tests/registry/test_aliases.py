"""Aliases: promotions and rollbacks against a list, and what may not mix."""

from __future__ import annotations

import datetime
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hotbed.errors import IncompatibleError, NotRegisteredError, RegistryError, UsageError
from hotbed.registry import Registry
from hotbed.registry.moves import Move, stack
from hotbed.testing import build_tiny


def test_two_rollbacks_go_two_promotions_back(registry: Registry, model: Path) -> None:
    """Never along a rollback; and a promotion after one starts from there."""
    for version in ("1.0.0", "1.1.0", "1.2.0", "1.3.0"):
        registry.register("support", model, version=version)
    for version in ("1.0.0", "1.1.0", "1.2.0"):
        registry.promote(f"support@{version}", "production", why=f"ship {version}")
    assert registry.rollback("support", "production", why="slow").version == "1.1.0"
    assert registry.rollback("support", "production").version == "1.0.0"
    with pytest.raises(RegistryError, match="nothing was promoted before it"):
        registry.rollback("support", "production")
    registry.promote("support@1.3.0", "production")
    assert registry.rollback("support", "production").version == "1.0.0"
    moves = registry.history("support", "production")
    assert [(move.kind, move.before, move.version) for move in moves] == [
        ("promote", "", "1.0.0"),
        ("promote", "1.0.0", "1.1.0"),
        ("promote", "1.1.0", "1.2.0"),
        ("rollback", "1.2.0", "1.1.0"),
        ("rollback", "1.1.0", "1.0.0"),
        ("promote", "1.0.0", "1.3.0"),
        ("rollback", "1.3.0", "1.0.0"),
    ]
    assert (moves[0].who, moves[0].why) == ("ada", "ship 1.0.0")
    registry.audit()


def test_promoting_what_is_there_changes_nothing(registry: Registry, model: Path) -> None:
    """No event, and a rollback still goes to what was before."""
    for version in ("1.0.0", "1.1.0"):
        registry.register("support", model, version=version)
        registry.promote(f"support@{version}", "production")
    registry.promote("support@1.1.0", "production")
    assert len(registry.history("support")) == 2
    assert registry.rollback("support", "production").version == "1.0.0"


def test_where_an_alias_pointed(registry: Registry, model: Path) -> None:
    """At any time, in any zone."""
    for version in ("1.0.0", "1.1.0"):
        registry.register("support", model, version=version)
        registry.promote(f"support@{version}", "production")
    first, second = registry.history("support", "production")
    assert registry.alias_at("support", "production", first.at) == "1.0.0"
    assert registry.alias_at("support", "production", second.at) == "1.1.0"
    zone = datetime.timezone(datetime.timedelta(hours=5))
    local = datetime.datetime.fromisoformat(first.at).astimezone(zone).isoformat()
    assert registry.alias_at("support", "production", local) == "1.0.0"
    assert registry.alias_at("support", "production", "2020-01-01") == ""


def test_vectors_that_do_not_mix(registry: Registry, model: Path, tmp_path: Path) -> None:
    """Another dimension or tokenizer is refused, and what it means for the index is said."""
    wide = build_tiny(tmp_path / "wide", config={"hidden_size": 64})
    registry.register("support", model)
    registry.register("support", wide)
    registry.promote("support@0.0.1", "production")
    with pytest.raises(IncompatibleError, match="64 numbers instead of 32: vectors of the two do"):
        registry.promote("support@0.0.2", "production")
    assert registry.resolve("support@production").version == "0.0.1"
    registry.promote("support@0.0.2", "production", allow_incompatible=True)
    assert registry.rollback("support", "production").version == "0.0.1"


def test_an_alias_is_removed(registry: Registry, model: Path) -> None:
    """It points nowhere, nothing can be rolled back, and its history stays."""
    registry.register("support", model)
    registry.promote("support@0.0.1", "canary")
    registry.unset("support", "canary")
    with pytest.raises(NotRegisteredError, match="its aliases none"):
        registry.resolve("support@canary")
    with pytest.raises(NotRegisteredError, match="no alias 'canary'"):
        registry.rollback("support", "canary")
    assert [move.kind for move in registry.history("support")] == ["promote", "unset"]


def test_delete_keeps_what_can_be_reached(registry: Registry, model: Path) -> None:
    """An alias, a lease or a rollback holds a version; only the last can be overruled."""
    for version in ("1.0.0", "1.1.0", "1.2.0"):
        registry.register("support", model, version=version)
    registry.promote("support@1.0.0", "production")
    registry.promote("support@1.1.0", "production")
    with pytest.raises(RegistryError, match="the alias production points to it"):
        registry.delete("support@1.1.0", even_if_reachable=True)
    with pytest.raises(RegistryError, match="a rollback of production could reach it"):
        registry.delete("support@1.0.0")
    with (
        registry.lease("support@1.2.0"),
        pytest.raises(RegistryError, match="ada holds a lease on it"),
    ):
        registry.delete("support@1.2.0")
    registry.delete("support@1.2.0")
    registry.delete("support@1.0.0", even_if_reachable=True)
    assert [one.version for one in registry.search()] == ["1.1.0"]
    registry.audit()


def test_a_rollback_passes_over_what_was_deleted(registry: Registry, model: Path) -> None:
    """It goes to the one before, and the next one goes on from there."""
    for version in ("1.0.0", "1.1.0", "1.2.0", "1.3.0"):
        registry.register("support", model, version=version)
        registry.promote(f"support@{version}", "production")
    registry.delete("support@1.2.0", even_if_reachable=True)
    assert registry.previous("support@production").version == "1.1.0"
    assert registry.rollback("support", "production").version == "1.1.0"
    assert registry.rollback("support", "production").version == "1.0.0"
    registry.audit()


def test_a_lease_lasts_by_the_databases_clock(
    registry: Registry, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine whose clock is two hours ahead takes nobody's lease."""
    registry.register("support", model)
    with registry.lease("support"):
        ahead = time.time() + 7200
        monkeypatch.setattr(time, "time", lambda: ahead)
        with pytest.raises(RegistryError, match="ada holds a lease on it"):
            registry.delete("support@0.0.1")


def test_aliases_that_differ_in_case_only(registry: Registry, model: Path) -> None:
    """One spelling has the name."""
    registry.register("support", model)
    registry.promote("support", "production")
    with pytest.raises(UsageError, match="'Production' differs from 'production' in case only"):
        registry.promote("support", "Production")


@settings(deadline=None, max_examples=25)
@given(st.lists(st.one_of(st.integers(0, 3), st.just(-1)), max_size=12))
def test_any_walk_is_a_stack(walked: Registry, steps: list[int]) -> None:
    """A promotion pushes, a rollback pops; the alias is what lies on top."""
    alias = f"a{len(walked.history('support'))}x{hash(tuple(steps)) % 10**6}"
    pile: list[str] = []
    for step in steps:
        if step >= 0:
            version = f"1.{step}.0"
            walked.promote(f"support@{version}", alias)
            if pile[-1:] != [version]:
                pile.append(version)
        elif len(pile) > 1:
            pile.pop()
            assert walked.rollback("support", alias).version == pile[-1]
        else:
            with pytest.raises((RegistryError, NotRegisteredError)):
                walked.rollback("support", alias)
    if pile:
        assert walked.resolve(f"support@{alias}").version == pile[-1]
    assert stack(walked.history("support", alias)) == pile


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    """A registry with four versions."""
    place = tmp_path_factory.mktemp("walked")
    registry = Registry(place / "registry", who="ada")
    model = build_tiny(place / "model")
    for number in range(4):
        registry.register("support", model, version=f"1.{number}.0")
    return registry


def test_the_fold_of_moves() -> None:
    """Unset empties the stack."""

    def move(kind: str, version: str) -> Move:
        return Move(
            seq=1,
            at="",
            kind=kind,
            alias="a",
            version=version,
            manifest="",
            before="",
            who="",
            why="",
        )

    moves = [move("promote", "1"), move("promote", "2"), move("rollback", "1"), move("unset", "")]
    assert stack(moves[:3]) == ["1"]
    assert stack(moves) == []
