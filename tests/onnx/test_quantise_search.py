"""The search: it keeps its promise on texts it has not seen, or says that nothing does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hotbed
from hotbed.conversion.record import read_records
from hotbed.errors import BoundsError, NoBackendError, UsageError
from hotbed.loading import House, default_house
from hotbed.quantisation import Asked, Bounds, Found, quantize_plainly, require, search
from hotbed.testing.tiny import bert_config, bert_tensors
from tests.onnx.quantisable import VOCABULARY, drawn_texts, large_table

TEXTS = tuple(drawn_texts(90, seed=1))
UNSEEN = drawn_texts(120, seed=2)


def hard_to_round(path: Path) -> Path:
    """A model with one unit that is always 3,000, and is taken away again behind its layer.

    Integers fine enough for the other units do not reach so far; float32 does not mind.
    """
    config = bert_config(vocab_size=VOCABULARY, hidden_size=32, intermediate_size=48)
    tensors = bert_tensors(config)
    wide, back = (f"encoder.layer.0.{name}.dense" for name in ("intermediate", "output"))
    up, down = tensors[f"{wide}.bias"].copy(), tensors[f"{back}.bias"].copy()
    up[5] = 3000
    down -= 3000 * tensors[f"{back}.weight"][:, 5]
    return large_table(path, **{f"{wide}.bias": up, f"{back}.bias": down})


class Steps:
    """Counts what it is told."""

    def __init__(self) -> None:
        self.expected = 0
        self.steps: list[str] = []

    def expect(self, steps: int) -> None:
        """More will come."""
        self.expected += steps

    def step(self, what: str) -> None:
        """The next."""
        self.steps.append(what)


@pytest.fixture
def house(isolated: None) -> House:
    """The catalogs of this process."""
    return default_house()


def find(house: House, model: Path, out: Path, bounds: Bounds, **asked: object) -> Found:
    """Search with few rounds."""
    located = house.locate(str(model))
    wanted = Asked(bounds=bounds, **{"texts": TEXTS, "rounds": 1, "trials": 4, **asked})  # type: ignore[arg-type]
    return search(house, located, house.read(located), wanted, out, Steps())


@pytest.mark.parametrize(
    "bounds",
    [
        Bounds(min_cosine=0.97, min_mean_cosine=0.99),
        Bounds(min_mean_cosine=0.9995),
        Bounds(min_cosine=0.9, max_size=400_000),
    ],
    ids=str,
)
def test_the_promise_is_kept_on_unseen_texts(house: House, tmp_path: Path, bounds: Bounds) -> None:
    """What was chosen keeps its bounds on texts that took no part, and is what the folder holds.

    A lowest cosine is that of the texts there were; of more texts, a few may fall below. Sixty that
    keep it say that at most one in twenty will not, with 95 % confidence (the rule of three).
    """
    model = large_table(tmp_path / "m")
    found = find(house, model, tmp_path / "out", bounds)
    chosen = require(found)
    assert chosen in found.trials
    assert not chosen.missed
    with hotbed.load(tmp_path / "out") as quantised, hotbed.load(model) as plain:
        wanted, got = plain.encode(UNSEEN), quantised.encode(UNSEEN)
    lengths = np.linalg.norm(wanted, axis=1) * np.linalg.norm(got, axis=1)
    cosines = (wanted * got).sum(axis=1) / lengths
    assert cosines.mean() >= (bounds.min_mean_cosine or -1)
    assert (cosines < (bounds.min_cosine or -1)).mean() <= 1 / 20
    record = read_records(tmp_path / "out")[-1]
    assert record.action == "quantize"
    assert record.recipe["name"] == chosen.mix.recipe
    assert record.reports[0].threshold == bounds.threshold
    assert record.reports[0].overall == chosen.held_out
    if bounds.max_size is not None:
        assert chosen.nbytes <= bounds.max_size


def test_everything_tried_is_told(house: House, tmp_path: Path) -> None:
    """Every recipe is a trial, every layer has its losses, and steps are counted before."""
    located = house.locate(str(large_table(tmp_path / "m")))
    steps = Steps()
    asked = Asked(
        bounds=Bounds(min_mean_cosine=0.9999, max_size=10**6), texts=TEXTS, rounds=1, trials=3
    )
    found = search(house, located, house.read(located), asked, tmp_path / "out", steps)
    tried = {one.mix.recipe for one in found.trials if not one.mix.layers}
    assert tried >= {"static_int8", "dynamic_int8", "weights_8bit", "weights_4bit", "float16"}
    assert {len(one.layers) for one in found.sensitivities} == {1}
    assert len({one.layers for one in found.sensitivities}) == 9
    assert len(steps.steps) <= steps.expected + len(found.trials)
    assert any(one.leads for one in found.trials)


def test_what_depends_on_neighbours_has_to_be_allowed(house: House, tmp_path: Path) -> None:
    """dynamic_int8 is tried and not chosen, unless that is said."""
    model = large_table(tmp_path / "m")
    only = {"recipes": ("dynamic_int8",)}
    found = find(house, model, tmp_path / "a", Bounds(min_mean_cosine=0.9), **only)
    assert found.chosen is None
    assert found.trials[-1].missed == "a text's vector depends on the texts beside it"
    allowed = find(
        house, model, tmp_path / "b", Bounds(min_mean_cosine=0.9), **only, dependent=True
    )
    assert require(allowed).batch_dependent


def test_bounds_that_nothing_keeps(house: House, tmp_path: Path) -> None:
    """The nearest are in the error, and nothing is written."""
    bounds = Bounds(min_mean_cosine=0.9, min_speedup=1000)
    found = find(house, large_table(tmp_path / "m"), tmp_path / "out", bounds, trials=0)
    with pytest.raises(BoundsError) as caught:
        require(found)
    said = str(caught.value)
    assert "keeps mean cosine ≥ 0.9, speed ≥ 1000 × float32; the nearest:" in said
    assert said.count("misses: ") == 3
    assert not (tmp_path / "out").exists()
    assert not list(tmp_path.glob(".staging*"))


def test_what_does_well_on_chosen_texts_only_is_not_published(house: House, tmp_path: Path) -> None:
    """A candidate that misses on held-out texts is passed over, and the trial says so."""
    model = large_table(tmp_path / "m")
    for seed in range(9):
        path = tmp_path / f"a{seed}"
        only = {"recipes": ("weights_4bit",), "trials": 0, "seed": seed}
        first = require(find(house, model, path, Bounds(min_mean_cosine=0.5), **only))
        assert first.held_out is not None
        assert first.fidelity is not None
        if first.held_out.mean < first.fidelity.mean:  # here the held-out texts are the harder
            break
    assert first.held_out is not None
    assert first.fidelity is not None
    bounds = Bounds(min_mean_cosine=(first.held_out.mean + first.fidelity.mean) / 2)
    second = find(house, model, tmp_path / "b", bounds, **only)
    assert second.chosen is None
    assert second.trials[0].missed.startswith("on held-out texts: ")
    assert not (tmp_path / "b").exists()


def test_the_same_seed_finds_the_same_losses(house: House, tmp_path: Path) -> None:
    """Two searches measure the same fidelity, layer by layer; another seed takes other texts."""
    model = large_table(tmp_path / "m")
    bounds = Bounds(min_mean_cosine=0.9999, max_size=10**6)
    runs = [
        find(
            house,
            model,
            tmp_path / str(place),
            bounds,
            seed=seed,
            recipes=("weights_4bit",),
            trials=0,
        )
        for place, seed in enumerate((5, 5, 6))
    ]
    losses = [{(one.layers, one.recipe): one.mean for one in run.sensitivities} for run in runs]
    assert losses[0] == losses[1]
    assert losses[0] != losses[2]
    wholes = [[(str(one.mix), one.fidelity) for one in run.trials] for run in runs]
    assert wholes[0] == wholes[1]


def test_the_same_seed_finds_the_same_answer(house: House, tmp_path: Path) -> None:
    """A second search takes the speeds of the first, and writes the same bytes."""
    model, bounds = large_table(tmp_path / "m"), Bounds(min_mean_cosine=0.995, max_size=10**6)
    found = [find(house, model, tmp_path / name, bounds, seed=3) for name in ("a", "b")]
    first, second = ([(one.mix, one.speedup) for one in some.trials] for some in found)
    assert first == second
    chosen = [require(one).mix for one in found]
    assert chosen[0].same_as(chosen[1])
    written = [sorted((tmp_path / name / "onnx").iterdir()) for name in ("a", "b")]
    assert [p.read_bytes() for p in written[0]] == [p.read_bytes() for p in written[1]]
    again = find(house, model, tmp_path / "c", bounds, seed=3, remeasure=True)
    assert {one.speedup for one in again.trials}.isdisjoint(speed for _, speed in first)


def test_mistakes_come_before_work(house: House, tmp_path: Path) -> None:
    """Too few texts, an unknown recipe and an unknown backend are refused at once."""
    model = large_table(tmp_path / "m")
    with pytest.raises(UsageError, match="a promise needs 48 at least"):
        find(house, model, tmp_path / "out", Bounds(), texts=TEXTS[:5])
    with pytest.raises(NoBackendError, match="nothing here can quantise m by int3"):
        find(house, model, tmp_path / "out", Bounds(), recipes=("int3",))
    with pytest.raises(UsageError, match="'acme' is not installed"):
        find(house, model, tmp_path / "out", Bounds(), backends=("acme",))


def test_the_plain_recipe_falls_to_the_search(
    house: House, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Where integers on all layers lose too much, layers are left out, and that is told."""
    model = hard_to_round(tmp_path / "m")
    located = house.locate(str(model))
    done = quantize_plainly(
        house, located, house.read(located), "int8", tmp_path / "out", Steps(), texts=TEXTS
    )
    assert "was refused: mean cosine" in done.refused
    assert "Searching for layers to leave in float32" in caplog.text
    assert done.found is not None
    chosen = require(done.found)
    assert "float32" in dict(chosen.mix.layers).values()
    report = done.converted.reports[0]
    assert report.overall is not None
    assert report.overall.mean >= 0.99
    with hotbed.load(tmp_path / "out", dtype="int8") as quantised:
        assert quantised.encode("bread").shape == (32,)


def test_a_quantised_folder_is_no_source(house: House, tmp_path: Path) -> None:
    """A folder that holds integers alone is refused with what it holds."""
    located = house.locate(str(large_table(tmp_path / "m")))
    done = quantize_plainly(house, located, house.read(located), "w8", tmp_path / "w8", Steps())
    again = house.locate(str(done.converted.path))
    with pytest.raises(NoBackendError, match=r"holds onnx/model_cpu_w8\.onnx \(w8\)"):
        quantize_plainly(house, again, house.read(again), "int8", tmp_path / "x", Steps())
    with pytest.raises(UsageError, match=r"--quantize int3: .* there is static_int8 \(int8\)"):
        quantize_plainly(house, located, house.read(located), "int3", tmp_path / "x", Steps())


def test_the_library_does_what_the_command_does(house: House, tmp_path: Path) -> None:
    """``hotbed.quantize`` writes a folder that loads, and refuses one that is there."""
    model, out = large_table(tmp_path / "m"), tmp_path / "out"
    asked: dict[str, Any] = {"texts": TEXTS, "rounds": 1, "trials": 2, "house": house}
    found = hotbed.quantize(model, out, min_mean_cosine=0.99, **asked)
    assert found.converted is not None
    assert found.converted.path == out
    with hotbed.load(out) as quantised:
        assert quantised.encode("bread").shape == (32,)
    with pytest.raises(UsageError, match=r"exists; --force \(overwrite=True\)"):
        hotbed.quantize(model, out, **asked)
    with pytest.raises(BoundsError, match="the nearest"):
        hotbed.quantize(model, tmp_path / "none", min_cosine=0.9999, max_size=1, **asked)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m", "out"]


def test_the_library_converts(house: House, tmp_path: Path) -> None:
    """``hotbed.convert`` writes float32, or a dtype, and says where, by whom and how near."""
    model = large_table(tmp_path / "m")
    plain = hotbed.convert(model, tmp_path / "plain", house=house)
    small = hotbed.convert(model, tmp_path / "small", dtype="int8", house=house)
    assert (plain.backend, plain.converted.path) == ("onnx_cpu", tmp_path / "plain")
    assert (tmp_path / "small" / "onnx" / "model_int8.onnx").is_file()
    assert small.converted.reports[0].overall is not None
    again = hotbed.convert(model, tmp_path / "plain", house=house, overwrite=True)
    assert again.converted.reports == plain.converted.reports
    with pytest.raises(UsageError, match="quantising writes one ONNX file"):
        hotbed.convert(model, tmp_path / "x", dtype="int8", with_weights=True, house=house)
