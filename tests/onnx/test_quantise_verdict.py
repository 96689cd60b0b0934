"""One verdict on one set of texts: what the gate refused is the search's first trial."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import hotbed
from hotbed.backends import Artifact, Layer, Recipe
from hotbed.cli.app import app
from hotbed.conversion import calibration, read_records
from hotbed.fidelity import Report, Threshold, compare_vectors
from hotbed.fidelity.kinds import EDGE, ORDINARY, REPEATING
from hotbed.fidelity.report import CaseResult
from hotbed.loading import House, default_house
from hotbed.models import read_folder
from hotbed.quantisation import Bounds, quantize_plainly, require
from hotbed.quantisation.bench import open_bench
from hotbed.quantisation.forecast import Forecast, in_time
from hotbed.quantisation.promise import caveat
from hotbed.quantisation.speeds import Speeds
from hotbed.quantisation.texts import divide
from hotbed.testing import build_tiny
from tests.distributions import install
from tests.onnx.quantisable import artifact_of, drawn_texts, large_table
from tests.onnx.test_quantise_search import Steps, hard_to_round

TEXTS = tuple(drawn_texts(90, seed=1))

COUNTER = '''
"""A wrapper that writes down every form that is built."""
import json, os
from hotbed.backends import hookimpl

@hookimpl(wrapper=True)
def hotbed_quantize(artifact, recipe, batches, out):
    with open(os.environ["ACME_BUILT"], "a") as file:
        layers = dict(recipe.options.get("layers", {}))
        file.write(json.dumps([recipe.name, layers], sort_keys=True) + "\\n")
    return (yield)
'''


@pytest.fixture
def house(isolated: None) -> House:
    """The catalogs of this process."""
    return default_house()


@pytest.fixture
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """What a wrapper writes down: a line for each form that is built."""
    site, path = tmp_path / "site", tmp_path / "built.jsonl"
    site.mkdir()
    monkeypatch.syspath_prepend(site)
    monkeypatch.setenv("ACME_BUILT", str(path))
    modules = {"acme_counter": COUNTER}
    install(site, "acme-counter", {"hotbed.wrappers": {"acme": "acme_counter"}}, modules)
    hotbed.refresh()
    yield path
    hotbed.refresh()


def test_a_refused_form_is_not_built_again(
    built: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The search starts from the gate's verdict, learns ranges once, and says how long it takes."""
    caplog.set_level(logging.DEBUG, "hotbed.quantisation")
    house = default_house()
    located = house.locate(str(hard_to_round(tmp_path / "m")))
    out = tmp_path / "out"
    done = quantize_plainly(house, located, house.read(located), "int8", out, Steps(), texts=TEXTS)
    forms = [json.loads(line) for line in built.read_text(encoding="utf-8").splitlines()]
    assert forms.count(["static_int8", {}]) == 1
    assert done.found is not None
    chosen = require(done.found)
    assert chosen.mix.layers
    (plain,) = [one for one in done.found.trials if not one.mix.layers]
    assert plain.refused
    assert plain.nbytes > 0
    assert plain.fidelity is not None
    assert chosen.held_out is not None
    assert plain.fidelity.texts == chosen.held_out.texts  # one set of texts
    said = [record.getMessage() for record in caplog.records]
    assert sum(line.startswith("learned the ranges") for line in said) == 1
    first = next(place for place, line in enumerate(said) if line.startswith("the search: up to"))
    assert "measurements of layers" in said[first]
    assert "about" in said[first]
    assert not any("lowest cosine" in line and "keeps all" in line for line in said[:first])


def test_a_few_texts_to_check_on_decide_in_the_search_too(house: House, tmp_path: Path) -> None:
    """What refuses the plain form is what the searched form has to pass."""
    located = house.locate(str(hard_to_round(tmp_path / "m")))
    few = [*TEXTS[:20], TEXTS[0]]
    done = quantize_plainly(
        house, located, house.read(located), "int8", tmp_path / "out", Steps(), texts=few
    )
    assert done.found is not None
    report = read_records(tmp_path / "out")[-1].reports[0]
    assert report.overall is not None
    assert report.overall.texts == 20
    assert report.texts == "20 given"
    assert "20 given held out" in done.found.texts
    assert "built-in texts to calibrate" in done.found.texts


def test_edge_cases_are_no_share_of_the_mean(house: House, tmp_path: Path) -> None:
    """The mean is that of different ordinary texts; each case stands by itself."""
    model = large_table(tmp_path / "m")
    out = tmp_path / "out"
    texts = [*TEXTS[:10], *TEXTS[:10]]
    hotbed.convert(model, out, dtype="int8", texts=texts, house=house)
    report = read_records(out)[-1].reports[0]
    assert report.overall is not None
    assert report.overall.texts == 10
    kinds = {kind: [c for c in report.cases if c.kind == kind] for kind in (EDGE, REPEATING)}
    assert {case.name for case in kinds[EDGE]} >= {"one token", "all but one token padding"}
    assert {case.name for case in kinds[REPEATING]} >= {
        "one word again and again",
        "two characters again and again",
        "one digit again and again",
    }
    ordinary = [case.fidelity for case in report.cases if case.kind == ORDINARY]
    total = sum(one.mean * one.texts for one in ordinary)
    assert report.overall.mean == pytest.approx(total / 10)
    assert report.overall.margin > 0


def test_built_in_texts_are_not_called_given(house: House, tmp_path: Path) -> None:
    """The report says whose texts the verdict is on."""
    out = tmp_path / "out"
    hotbed.convert(large_table(tmp_path / "m"), out, dtype="w8", house=house)
    (report,) = read_records(out)[-1].reports
    assert report.texts.endswith("built in")


def test_layers_of_large_models_are_measured_on_short_texts(house: House, tmp_path: Path) -> None:
    """A few short texts, always the same; small models take more, of every length."""
    config = {"max_position_embeddings": 128}
    located = house.locate(str(build_tiny(tmp_path / "m", config=config, max_seq_length=128)))
    speeds = Speeds(path=tmp_path / "speeds.json", key="here", again=False)
    with open_bench(
        house, located, house.read(located), divide(None), Bounds(min_cosine=0.9), 1, speeds
    ) as bench:
        counts = bench.float32.tokenize(bench.texts.search, "").counts
        few = bench.sample([Layer(name="a", kind="linear", inputs=10_000, outputs=10_000)])
        many = bench.sample([Layer(name="a", kind="linear", inputs=100, outputs=100)])
    assert len(few) == 16
    assert len(set(few.tolist())) == 16
    assert counts[few].max() <= 48 < counts[many].max()
    assert len(many) == 48


def _report(edge: float, repeating: float, threshold: Threshold) -> Report:
    """A report whose cases have such cosines, and whose ordinary texts are exact."""

    def case(kind: str, cosine: float) -> CaseResult:
        wanted = np.array([[1.0, 0.0]])
        found = np.array([[cosine, np.sqrt(1 - cosine**2)]])
        fidelity = compare_vectors(wanted, found)
        return CaseResult(name=f"some {kind}", rows=1, tokens=1, fidelity=fidelity, kind=kind)

    return Report(
        reference="a",
        runner="b",
        dtype="int8",
        threshold=threshold,
        overall=compare_vectors(np.eye(3), np.eye(3)),
        cases=(case(ORDINARY, 1), case(EDGE, edge), case(REPEATING, repeating)),
    )


def test_edge_cases_have_a_bound_of_their_own() -> None:
    """Beyond it a form is refused; repetition that is far off is let through, with a warning."""
    eight = hotbed.fidelity.threshold("int8")
    assert "'some edge', and at least 0.9" in _report(0.8, 1, eight).shortfall
    let_through = _report(0.95, 0.5, eight)
    assert not let_through.shortfall
    assert let_through.warnings == ("cosine 0.500000 in the case 'some repetition'",)
    exact = _report(1, 0.9999, hotbed.fidelity.threshold("float32"))
    assert "'some repetition', and at least 0.99999" in exact.shortfall
    stated = _report(0.8, 0.5, hotbed.fidelity.threshold("q4"))
    assert not stated.shortfall
    assert len(stated.warnings) == 2
    assert Report.from_dict(stated.as_dict()) == stated


def test_ranges_belong_to_a_file_and_its_texts(
    house: House, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The same file and texts: learned once. Other texts, or another file there: learned anew."""
    caplog.set_level(logging.DEBUG, "hotbed.quantisation")
    engine = house.engine("onnx_cpu")
    artifact = artifact_of(large_table(tmp_path / "m"), "portable")

    def made(name: str, count: int, **options: object) -> bytes:
        out = tmp_path / name
        out.mkdir()
        batches = calibration(read_folder(artifact.folder), TEXTS[:count])
        recipe = Recipe(name="static_int8", options=options)
        (variant,) = engine.quantize(artifact, recipe, batches, out)
        return Artifact(
            folder=artifact.folder, path=out / variant.file, variant=variant
        ).path.read_bytes()

    def learned() -> int:
        return sum("learned the ranges" in one.getMessage() for one in caplog.records)

    layer = next(one.name for one in engine.layers(artifact) if one.kind == "linear")
    whole = made("a", 40)
    part = made("b", 40, layers={layer: "float32"})
    assert learned() == 1
    assert part != whole
    assert made("c", 40) == whole
    assert learned() == 1
    made("d", 12)
    assert learned() == 2
    artifact.path.touch()
    assert made("e", 40) == whole
    assert learned() == 3


def test_a_forecast_learns_from_what_was_measured() -> None:
    """A guess holds until the first piece of its kind was done."""
    forecast = Forecast(left={"layers": 10, "mixes": 2}, takes={"layers": 5.0, "mixes": 20.0})
    assert forecast.seconds == 90
    forecast.done("layers", "one", 1.0)
    assert forecast.seconds == 9 * 1 + 40
    forecast.done("layers", "another", 3.0)
    assert forecast.seconds == 8 * 2 + 40
    forecast.none_left("mixes")
    assert forecast.seconds == 16
    assert [in_time(seconds) for seconds in (1, 62, 200, 3600)] == [
        "5 s",
        "60 s",
        "3.5 min",
        "60 min",
    ]


def test_the_promise_says_how_it_may_be_missed(house: House, tmp_path: Path) -> None:
    """By the rule of three, on the command line and in JSON."""
    found = compare_vectors(np.eye(30), np.eye(30))
    assert "up to 10.0% may lie below" in caveat(found)
    assert caveat(None) == ""
    texts = tmp_path / "texts.txt"
    texts.write_text("\n".join(TEXTS), encoding="utf-8")
    asked = [str(large_table(tmp_path / "m")), "--texts", str(texts), "--rounds", "1"]
    asked += ["--trials", "1", "--recipe", "weights_8bit", "--backend", "onnx_cpu"]
    done = CliRunner().invoke(app, ["quantize", *asked, "--out", str(tmp_path / "a"), "--json"])
    assert done.exit_code == 0, done.output
    value = json.loads(done.stdout)
    assert "up to 10.0% may lie below the lowest cosine" in value["caveat"]
    assert value["warnings"] == []
    shown = CliRunner().invoke(app, ["quantize", *asked, "--out", str(tmp_path / "b")])
    assert "may lie below the lowest" in " ".join(shown.stdout.split())
    assert " ± " in shown.stdout
