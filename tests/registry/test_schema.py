"""What is hashed is what is read back: every value is converted at the door, or refused."""

from __future__ import annotations

import datetime
import decimal
import enum
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hotbed.errors import HotbedError, UsageError
from hotbed.registry import Registry
from hotbed.registry.schema import LONGEST
from hotbed.testing import build_tiny


class Stage(enum.Enum):
    """A member of an enum."""

    BETA = "beta"


class Kind(str, enum.Enum):  # noqa: UP042 - as people wrote it before StrEnum
    """A text and a member at once."""

    GOOD = "good"


class Odd:
    """An object that cannot even be shown."""

    def __repr__(self) -> str:
        raise ValueError


TEXTS = [
    (4711, "4711"),
    (1.5, "1.5"),
    (True, "True"),
    (np.int64(3), "3"),
    (Path("a/b"), str(Path("a/b"))),
    (datetime.date(2026, 11, 28), "2026-11-28"),
    (Stage.BETA, "beta"),
    (Kind.GOOD, "good"),
    (np.str_("x"), "x"),
    ("Größe\n\t\x1b", "Größe\n\t\x1b"),
]
NO_TEXTS = ["a\0b", "\ud800", 10**5000, b"x", [1], {"a": 1}, object(), Odd(), "x" * (LONGEST + 1)]
NUMBERS = [
    (np.float32(0.5), 0.5),
    (np.int8(3), 3.0),
    (decimal.Decimal("0.25"), 0.25),
    (np.array(0.5), 0.5),
    (-0.0, 0.0),
    (5e-324, 5e-324),
    (True, 1.0),
]
NO_NUMBERS: list[Any] = [math.nan, -math.inf, 10**400, "0.5", [0.5], 1j, np.array([0.5]), Odd()]


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    """A registry with one version."""
    place = tmp_path_factory.mktemp("kept")
    registry = Registry(place / "r", who=1000)  # type: ignore[arg-type]
    tags: Any = {"epochs": 3}
    registry.register("support", build_tiny(place / "m"), why=4711, tags=tags)  # type: ignore[arg-type]
    return registry


def test_who_and_why_are_texts(kept: Registry) -> None:
    """Numbers become texts before anything is hashed."""
    assert kept.who == "1000"
    assert kept.get("support").tags["epochs"] == "3"
    assert kept.audit().events >= 1
    for wrong in NO_TEXTS:
        with pytest.raises(UsageError, match="who"):
            Registry(kept.store.place, who=wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["description", "domain", "licence", "tag", "why", "deprecated"])
def test_texts(kept: Registry, name: str) -> None:
    """What can be a text becomes one; what some database would not give back is refused."""

    def write(value: Any) -> str | None:
        if name == "tag":
            return kept.annotate("support", tags={"t": value}).tags["t"]
        if name == "why":
            kept.annotate("support", domain="x", why=value)
            return None
        if name == "deprecated":
            return kept.deprecate("support", value).deprecated
        found: str = getattr(kept.annotate("support", **{name: value}), name)
        return found

    for value, wanted in TEXTS:
        assert write(value) in (wanted, None)
    before = kept.get("support")
    for value in NO_TEXTS:
        with pytest.raises(UsageError):
            write(value)
    assert kept.get("support") == before
    kept.audit()


def test_metrics(kept: Registry) -> None:
    """Numbers of any library; nothing that is none, or has no end."""
    for value, wanted in NUMBERS:
        number: Any = value
        found = kept.annotate("support", metrics={"m": number}).metrics["m"]
        assert (found, math.copysign(1, found)) == (wanted, math.copysign(1, wanted))
    for wrong in NO_NUMBERS:
        metrics: dict[str, Any] = {"m": wrong}
        with pytest.raises(UsageError, match="metric m is not a finite number"):
            kept.annotate("support", metrics=metrics)
    kept.audit()


ANYTHING = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(st.characters()),
    st.binary(max_size=4),
    st.dates(),
    st.decimals(),
    st.fractions(),
    st.uuids(),
    st.complex_numbers(),
    st.sampled_from(["a\0", "\ud83d", "\u2028", "\U0010ffff", Stage.BETA, Path("x")]),
)
LABELS = st.one_of(st.text(st.characters(), max_size=5), st.integers(), st.just("ndcg@10"))


@settings(deadline=None, max_examples=25, suppress_health_check=list(HealthCheck))
@given(
    st.fixed_dictionaries(
        {},
        optional={
            "description": ANYTHING,
            "licence": ANYTHING,
            "tags": st.dictionaries(LABELS, ANYTHING, max_size=3),
            "metrics": st.dictionaries(LABELS, ANYTHING, max_size=3),
            "why": ANYTHING,
        },
    )
)
def test_anything_is_kept_or_refused(kept: Registry, values: dict[str, Any]) -> None:
    """The trail is sound afterwards, and what is read back is what was said."""
    before = kept.get("support")
    try:
        found = kept.annotate("support", **values)
    except HotbedError:
        assert kept.get("support") == before
    else:
        again = kept.get("support")
        assert again == found
        for name in ("tags", "metrics"):
            for label, value in getattr(again, name).items():
                assert type(value) is (str if name == "tags" else float), label
    kept.audit()


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"model_type": "x" * 65}, "family|architecture|supported|model_type"),
        ({"model_type": "a\0"}, "NUL|architecture|supported|model_type"),
    ],
)
def test_models_whose_files_say_too_much(
    registry: Registry, tmp_path: Path, changes: dict[str, Any], why: str
) -> None:
    """SQLite would take what PostgreSQL refuses: both refuse it, before anything is written."""
    folder = build_tiny(tmp_path / "m", config=changes)
    with pytest.raises(HotbedError, match=why):
        registry.register("support", folder)
    assert registry.audit().events == 0


@pytest.mark.parametrize("reference", [4711, None, b"support", ["support"]])
def test_a_reference_is_a_text(kept: Registry, reference: Any) -> None:
    """Anything else is named."""
    for call in (kept.resolve, kept.get, kept.manifest, kept.delete):
        with pytest.raises(UsageError, match="named by a text"):
            call(reference)
