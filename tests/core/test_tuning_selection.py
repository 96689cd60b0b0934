"""What was measured decides between backends, and nothing more than that."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

import hotbed
from hotbed.backends.decision import Measurement
from hotbed.errors import SettingsError
from hotbed.loading import House, default_house
from hotbed.measurements import Machine, Record, remember, this_machine
from hotbed.models import read_folder
from hotbed.settings import Settings
from hotbed.testing import build_tiny
from tests.core.engines import Install, engines

__all__ = ["engines"]

Measured = Callable[..., None]


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """A tiny model."""
    return build_tiny(tmp_path / "tiny")


@pytest.fixture
def two(engines: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two engines: ``ordinary``, which is chosen where nothing was measured, and ``other``."""
    engines("ordinary", priority=1, dtypes=("float32", "bfloat16"))
    engines("other", dtypes=("float32", "bfloat16"))
    monkeypatch.setenv("HOTBED_BACKENDS", "ordinary,other")
    hotbed.refresh()


@pytest.fixture
def measured(tiny: Path) -> Measured:
    """Record a measurement of ``other``, twice as fast as the one of ``ordinary``; or changed."""

    def write(*, machine: Machine | None = None, **changes: Any) -> None:
        shape = read_folder(tiny).shape
        fast = Measurement(
            shape=shape,
            backend="other",
            dist="dist-other",
            version="1.0",
            device="cpu",
            dtype="float32",
            token_budget=192,
            bulk=200.0,
            query=0.001,
            score=200.0,
        )
        fast = evolve(fast, **changes)
        slow = evolve(fast, backend="ordinary", dist="dist-ordinary", version="1.0", score=100.0)
        records = [
            Record(
                machine=machine or this_machine(),
                measurement=one,
                purpose="bulk",
                lowest_cosine=1.0,
                texts=64,
                rounds=4,
                date="2026-11-24T10:00:00+00:00",
            )
            for one in (slow, fast)
        ]
        remember(default_house().settings.tuned, records)
        hotbed.refresh()

    return write


def chosen(model: Path, **options: Any) -> str:
    """The backend that ``hotbed.load`` uses."""
    with hotbed.load(model, **options) as embedder:
        return embedder.loaded.backend


@pytest.mark.usefixtures("two")
def test_the_faster_one_is_used_and_why_says_so(tiny: Path, measured: Measured) -> None:
    """A third-party backend that measured faster is chosen, in the batches that measured best."""
    assert chosen(tiny) == "ordinary"
    measured()
    with hotbed.load(tiny) as model:
        assert model.loaded.backend == "other"
        assert model.loaded.token_budget == 192
        assert "measured here: 200 texts/s, 1.0 ms a query" in model.why()
        assert "ranks below other: it was measured slower on this machine" in model.why()
        assert model.encode(["red fish"]).shape == (1, 32)


@pytest.mark.usefixtures("two")
def test_without_the_file_everything_is_as_before(tiny: Path, measured: Measured) -> None:
    """Deleting the file restores the ordinary choice and its own batches."""
    measured()
    assert chosen(tiny) == "other"
    default_house().settings.tuned.unlink()
    hotbed.refresh()
    with hotbed.load(tiny) as model:
        assert model.loaded.backend == "ordinary"
        assert model.loaded.token_budget == 96
        assert "measured" not in model.why()


@pytest.mark.usefixtures("two")
def test_other_arithmetic_is_never_slipped_in(tiny: Path, measured: Measured) -> None:
    """However fast bfloat16 measured, a load that does not ask for it gets float32 as before."""
    measured(dtype="bfloat16", bulk=1e6, score=1e6)
    with hotbed.load(tiny) as model:
        assert (model.loaded.backend, model.loaded.dtype) == ("ordinary", "float32")
    with hotbed.load(tiny, dtype="bf16") as model:
        assert (model.loaded.backend, model.loaded.dtype) == ("other", "bfloat16")


@pytest.mark.usefixtures("two")
@pytest.mark.parametrize(
    "changes",
    [
        {"version": "0.9"},
        {"dist": "dist-impostor"},
        {"shape": "bert 6×384, 12 heads, 1536 inner"},
        {"device": "cuda"},
        {"machine": Machine(cpu="another", features=(), cpus=2, system="Linux x86_64")},
        {"machine": this_machine(threads=3)},
    ],
    ids=["version", "distribution", "shape", "device", "machine", "threads"],
)
def test_what_was_measured_elsewhere_does_not_count(
    tiny: Path, measured: Measured, changes: dict[str, Any]
) -> None:
    """Another version, distribution, shape, device, machine or number of threads: not counted."""
    if "version" in changes or "dist" in changes:
        # The one of ``ordinary`` would count, and rank it first for that reason.
        measured(**changes)
        (slow, fast) = default_house().records()
        default_house().settings.tuned.unlink()
        remember(default_house().settings.tuned, [fast])
        hotbed.refresh()
        assert slow.measurement.backend == "ordinary"
    else:
        measured(**changes)
    assert chosen(tiny) == "ordinary"


@pytest.mark.usefixtures("two")
def test_threads_belong_to_the_measurement(tiny: Path, measured: Measured) -> None:
    """What was measured with three threads counts for loads with three, and no others."""
    measured(machine=this_machine(threads=3))
    assert chosen(tiny, threads=3) == "other"
    assert chosen(tiny, threads=1) == "ordinary"


@pytest.mark.usefixtures("two")
def test_the_user_has_the_last_word(
    tiny: Path, measured: Measured, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A named backend is used, and the settings' priority comes before measurements."""
    measured()
    assert chosen(tiny, backend="ordinary") == "ordinary"
    monkeypatch.setenv("HOTBED_PRIORITY", "ordinary")
    hotbed.refresh()
    assert chosen(tiny) == "ordinary"


@pytest.mark.usefixtures("two")
def test_a_broken_file_is_told_at_load(tiny: Path) -> None:
    """A file that cannot be read stops the load and says how to go on; a refresh sees it mended."""
    tuned = default_house().settings.tuned
    tuned.parent.mkdir(parents=True)
    tuned.write_text("{", encoding="utf-8")
    with pytest.raises(SettingsError, match="`hotbed tune --forget` puts it aside"):
        hotbed.load(tiny)
    tuned.unlink()
    hotbed.refresh()
    assert chosen(tiny) == "ordinary"


@pytest.mark.usefixtures("two")
def test_a_house_sees_new_measurements_after_a_refresh(tiny: Path, measured: Measured) -> None:
    """A house reads the file once; ``refresh`` makes it look again."""
    settings = default_house().settings
    house = House(settings)
    assert chosen(tiny, house=house) == "ordinary"
    measured()
    assert chosen(tiny, house=house) == "ordinary"
    house.refresh()
    assert chosen(tiny, house=house) == "other"


def test_listing_backends_does_not_read_the_file(tmp_path: Path) -> None:
    """The file is read at the first selection for a model, not before."""
    (tmp_path / "tuned.json").write_text("{", encoding="utf-8")
    house = House(Settings(home=tmp_path / "home", tuned=tmp_path / "tuned.json"))
    assert house.backends.found() is not None
    with pytest.raises(SettingsError):
        house.records()
