"""Tuning over real engines: who is measured, what is recorded, and that everything is closed."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

import hotbed
from hotbed.errors import HotbedError, NoBackendError
from hotbed.loading import default_house
from hotbed.measurements import read_records, remember
from hotbed.testing import TEXTS, build_tiny
from hotbed.tuning import Asked, Bench, Outcome, Tuned, tune, who
from hotbed.tuning.texts import mixed_texts, spread_over
from tests.core.engines import Install, engines

__all__ = ["engines"]

FEW = [text for text in TEXTS if text] * 2


class Watch:
    """Counts what it is told."""

    def __init__(self) -> None:
        self.opened: list[str] = []
        self.begun: tuple[int, int, int] = (0, 0, 0)
        self.steps: list[str] = []

    def opening(self, name: str) -> None:
        self.opened.append(name)

    def begin(self, texts: int, contenders: int, steps: int) -> None:
        self.begun = (texts, contenders, steps)

    def step(self, name: str) -> None:
        self.steps.append(name)


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """A tiny model."""
    return build_tiny(tmp_path / "tiny")


@pytest.fixture(autouse=True)
def ours_only(monkeypatch: pytest.MonkeyPatch, engines: Install) -> None:
    """Only the engines of this test are allowed; ``ordinary`` is chosen among equals."""
    engines("ordinary", priority=9)
    allow(monkeypatch, "ordinary")


def allow(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Allow these engines and no others."""
    monkeypatch.setenv("HOTBED_BACKENDS", ",".join(names))
    hotbed.refresh()


def run(model: Path, watch: Watch | None = None, **asked: Any) -> Tuned:
    """Tune with two rounds over a few texts."""
    house = default_house()
    located = house.locate(str(model))
    bench = Bench(house=house, located=located, folder=house.read(located))
    values: dict[str, Any] = {"rounds": 2, "budgets": (48, 96), **asked}
    return tune(bench, Asked(**values), FEW, watch or Watch())


def record(tuned: Tuned) -> None:
    """Record it, as the command does."""
    remember(default_house().settings.tuned, tuned.fresh, tuned.dropped)
    hotbed.refresh()


def of(tuned: Tuned, backend: str, dtype: str = "float32") -> Outcome:
    """The outcome of one candidate."""
    (one,) = [
        one
        for one in tuned.outcomes
        if (one.verdict.backend, who(one.verdict)[3]) == (backend, dtype)
    ]
    return one


def module(name: str) -> Any:
    """An engine's module, which counts what was opened and closed."""
    return importlib.import_module(f"engine_{name}")


def rescore(**scores: float) -> None:
    """Give what is recorded these scores, so that no test hangs on the speed of a machine."""
    tuned = default_house().settings.tuned
    remember(
        tuned,
        [
            evolve(one, measurement=evolve(one.measurement, score=scores[one.measurement.backend]))
            for one in read_records(tuned)
        ],
    )
    hotbed.refresh()


def test_what_is_announced_is_what_is_loaded(
    tiny: Path, engines: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All that can serve are recorded, and the next load does what the report said it would."""
    engines("other")
    allow(monkeypatch, "ordinary", "other")
    tuned = run(tiny)
    assert tuned.today[0] == tuned.reference[0] == "ordinary"
    assert {one.measurement.backend for one in tuned.fresh} == {"ordinary", "other"}
    before, after = tuned.choices[0].before, tuned.choices[0].after
    assert before is not None
    assert after is not None
    assert before.backend == "ordinary"
    with hotbed.load(tiny) as model:
        assert model.loaded.backend == "ordinary"
    record(tuned)
    with hotbed.load(tiny) as model:
        assert model.loaded.backend == after.backend
        assert model.loaded.token_budget == of(tuned, after.backend).token_budget
    rescore(ordinary=1.0, other=2.0)
    with hotbed.load(tiny) as model:
        assert model.loaded.backend == "other"


def test_what_was_measured_is_told_in_full(tiny: Path) -> None:
    """Medians lie within their range; today's choice is 1 at its own budget; cosine 1 to itself."""
    tuned = run(tiny, budgets=(96,))
    one = of(tuned, "ordinary")
    assert one.bulk is not None
    assert one.query is not None
    assert one.ratio is not None
    assert one.bulk.least <= one.bulk.median <= one.bulk.most
    assert 0 < one.query.least <= one.query.median <= one.query.most
    assert (one.ratio.least, one.ratio.most) == (1.0, 1.0)
    assert one.lowest_cosine == pytest.approx(1.0)
    assert one.record is not None
    assert one.record.measurement.bulk == one.bulk.median
    assert one.record.measurement.query == one.query.median
    assert one.record.rounds == 2


@pytest.mark.parametrize(("purpose", "expected"), [("bulk", "bulk"), ("queries", "query")])
def test_the_purpose_decides_what_ranks(tiny: Path, purpose: str, expected: str) -> None:
    """The score is texts a second, or short queries a second."""
    tuned = run(tiny, purpose=purpose)
    (one,) = tuned.fresh
    measurement = one.measurement
    score = measurement.bulk if expected == "bulk" else 1 / measurement.query
    assert (one.purpose, measurement.score) == (purpose, score)


@pytest.mark.parametrize("fault", ["wrong", "nan"])
def test_wrong_vectors_are_shown_and_never_recorded(
    tiny: Path, engines: Install, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    """However fast, what misses the tolerance of its dtype loses even the record that it had."""
    engines("quick")
    allow(monkeypatch, "ordinary", "quick")
    record(run(tiny))
    rescore(ordinary=1.0, quick=2.0)
    with hotbed.load(tiny) as model:
        assert model.loaded.backend == "quick"
    engines("quick", fault=fault)
    hotbed.refresh()
    tuned = run(tiny)
    one = of(tuned, "quick")
    assert one.record is None
    assert ("lowest cosine" if fault == "wrong" else "not finite") in one.flaw
    record(tuned)
    with hotbed.load(tiny) as model:
        assert model.loaded.backend == "ordinary"


def test_rounded_arithmetic_is_recorded_for_those_who_ask(
    tiny: Path, engines: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    """bfloat16 passes its own tolerance, and changes what ``dtype="bf16"`` gives, nothing else."""
    engines("rounded", dtypes=("bfloat16",))
    allow(monkeypatch, "ordinary", "rounded")
    tuned = run(tiny)
    one = of(tuned, "rounded", "bfloat16")
    assert one.record is not None
    assert one.lowest_cosine is not None
    assert 0.999 < one.lowest_cosine < 1 - 1e-9
    record(tuned)
    with hotbed.load(tiny) as model:
        assert (model.loaded.backend, model.loaded.dtype) == ("ordinary", "float32")
    with hotbed.load(tiny, dtype="bf16") as model:
        assert (model.loaded.backend, model.loaded.dtype) == ("rounded", "bfloat16")


def test_what_is_there_for_comparison_is_not_recorded(
    tiny: Path, engines: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With one dtype asked for, float32 is measured beside it and left as it was."""
    engines("rounded", dtypes=("bfloat16",))
    allow(monkeypatch, "ordinary", "rounded")
    tuned = run(tiny, dtypes=("bfloat16",))
    assert [one.measurement.dtype for one in tuned.fresh] == ["bfloat16"]
    assert of(tuned, "ordinary").bulk is not None
    assert of(tuned, "ordinary").token_budget == 96


def test_a_slow_engine_does_not_win_by_being_measured_alone(
    tiny: Path, engines: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever is asked for, the ordinary choice is measured beside it, and recorded as well."""
    engines("ordinary", priority=9, dtypes=("float32", "bfloat16"))
    engines("slow", pause=0.01, dtypes=("float32", "bfloat16"))
    allow(monkeypatch, "ordinary", "slow")
    tuned = run(tiny, backends=("slow",))
    names = sorted((one.measurement.backend, one.measurement.dtype) for one in tuned.fresh)
    assert names == [
        (backend, dtype) for backend in ("ordinary", "slow") for dtype in ("bfloat16", "float32")
    ]
    record(tuned)
    rescore(ordinary=2.0, slow=1.0)
    for dtype in ("float32", "bfloat16"):
        with hotbed.load(tiny, dtype=dtype) as model:
            assert model.loaded.backend == "ordinary"


@pytest.mark.parametrize("fault", ["load", "embed"])
def test_one_that_fails_drops_out(
    tiny: Path, engines: Install, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    """Its error is told, it is not recorded, the others are, and what was opened is closed."""
    engines("broken", fault=fault)
    allow(monkeypatch, "ordinary", "broken")
    tuned = run(tiny)
    said = {"load": "broken cannot open this", "embed": "RuntimeError: out of luck"}
    assert said[fault] in of(tuned, "broken").flaw
    assert [one.measurement.backend for one in tuned.fresh] == ["ordinary"]
    assert [key[2] for key in tuned.dropped] == ["broken"]
    assert module("ordinary").closed == module("ordinary").opened == ["float32"]
    assert module("broken").closed == module("broken").opened


@pytest.mark.parametrize(
    ("fault", "said"), [("load", "ordinary cannot open this"), ("embed", "out of luck")]
)
def test_the_failure_of_todays_choice_is_everybodys(
    tiny: Path, engines: Install, monkeypatch: pytest.MonkeyPatch, fault: str, said: str
) -> None:
    """Nothing can be said without it, so its error ends the run; what was opened is closed."""
    engines("ordinary", priority=9, fault=fault)
    engines("other")
    allow(monkeypatch, "ordinary", "other")
    with pytest.raises(HotbedError, match=said):
        run(tiny)
    for name in ("ordinary", "other"):
        assert module(name).closed == module(name).opened


def test_ctrl_c_closes_everything(
    tiny: Path, engines: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An interrupt in the middle ends the run, and every engine is closed."""
    engines("nervous", fault="interrupt")
    allow(monkeypatch, "ordinary", "nervous")
    with pytest.raises(KeyboardInterrupt):
        run(tiny)
    for name in ("ordinary", "nervous"):
        assert module(name).closed == module(name).opened == ["float32"]


def test_those_that_cannot_serve_have_one_reason_each(
    tiny: Path, engines: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A backend, dtype by dtype, either is measured or says why not."""
    engines("rounded", dtypes=("bfloat16", "int8"))
    monkeypatch.setenv("HOTBED_BACKENDS", "ordinary,rounded")
    monkeypatch.setenv("HOTBED_BLOCKED", "onnx_cpu,pytorch")
    hotbed.refresh()
    tuned = run(tiny)
    refused = {(one.backend, one.dtype): one.reason for one in tuned.refusals}
    assert set(refused) == {("rounded", "int8"), ("onnx_cpu", ""), ("pytorch", "")}
    assert refused["rounded", "int8"].startswith("dtype: no file it can run is stored so")
    assert refused["onnx_cpu", ""].startswith("blocked: ")


def test_nothing_that_can_serve_is_an_error(tiny: Path) -> None:
    """It lists each backend with its reason."""
    with pytest.raises(
        NoBackendError, match=r"ordinary float16 on auto .*asked for float16; it computes"
    ):
        run(tiny, dtypes=("float16",))


def test_every_step_is_told(tiny: Path) -> None:
    """The watcher hears of each opening, of the number of steps, and of each step."""
    watch = Watch()
    run(tiny, watch, budgets=(24, 48), rounds=3)
    assert watch.opened == ["ordinary float32"]
    # Three budgets once uncounted, once counted, then two in each of two rounds; three queries.
    assert watch.begun == (len(FEW), 1, 3 + 3 + 2 * 2 + 3)
    assert watch.steps == ["ordinary float32"] * watch.begun[2]


def test_batches_of_which_there_are_too_few_are_not_tried(tiny: Path) -> None:
    """A budget that would hold nearly all texts says nothing of long lists; today's stays."""
    watch = Watch()
    tuned = run(tiny, watch, budgets=(48, 4096), rounds=1)
    assert tuned.untried == (4096,)
    assert watch.begun[2] == 2 + 2 + 1
    assert of(tuned, "ordinary").token_budget in (48, 96)


def test_a_dtype_is_measured_once_however_it_is_reached(tiny: Path) -> None:
    """Today's choice, the reference and the candidate are one, opened once."""
    run(tiny)
    assert module("ordinary").opened == ["float32"]


def test_built_in_texts_are_of_mixed_lengths_and_always_the_same() -> None:
    """Half of them are short, a tenth are long, and every call gives the same ones."""
    texts = mixed_texts(100)
    assert texts == mixed_texts(100)
    assert len(set(texts)) == 100
    words = sorted(len(text.split()) for text in texts)
    assert words[0] < 6
    assert 35 < words[50] < 50
    assert 180 < words[90] < 230
    assert words[-1] < 262
    # Lengths are mixed over the list, so that the first texts are like all of them.
    first = [len(text.split()) for text in texts[:25]]
    assert sum(first) / 25 == pytest.approx(sum(words) / 100, rel=0.15)


@pytest.mark.parametrize("count", [1, 2, 3, 7, 64, 1000])
def test_any_number_of_built_in_texts(count: int) -> None:
    """As many as asked for, none of them empty."""
    texts = mixed_texts(count)
    assert len(texts) == count
    assert all(texts)


def test_given_texts_are_taken_from_all_of_them() -> None:
    """Evenly, so that a sorted file is not measured on its first lines only."""
    given = [str(number) for number in range(100)]
    assert spread_over(given, 4) == ["0", "25", "50", "75"]
    assert spread_over(given, 100) == spread_over(given, 1000) == given
