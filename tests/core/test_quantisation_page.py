"""The page of ``hotbed quantize --report``: everything that was tried, and a plot of it."""

from __future__ import annotations

import base64
import re
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
from attrs import evolve

from hotbed.errors import UsageError
from hotbed.fidelity import Fidelity
from hotbed.measurements import Machine
from hotbed.quantisation import Bounds, Found, Mix, Trial
from hotbed.quantisation.labels import Box, find_room
from hotbed.quantisation.page import require_page, write_page
from hotbed.quantisation.sensitivity import Sensitivity
from hotbed.quantisation.sources import Refusal
from hotbed.tuning.timing import Spread

pytest.importorskip("jinja2")
pytest.importorskip("matplotlib")

_PNG = b"\x89PNG\r\n\x1a\n"
_LAYERS = tuple(f"encoder.layer.{n}.{part}" for n in range(6) for part in ("query", "dense"))
_HOSTILE = '<script>alert("$x^{")</script> & 模型 \N{SNOWMAN}'


def _fidelity(lowest: float, mean: float) -> Fidelity:
    return Fidelity(
        texts=120, lowest=lowest, percentile=lowest, mean=mean, max_abs=0.1, neighbours=0.9
    )


def _trial(mix: Mix, megabytes: float, speed: float, lowest: float, mean: float) -> Trial:
    return Trial(
        mix=mix,
        nbytes=int(megabytes * 1e6),
        fidelity=_fidelity(lowest, mean),
        speedup=Spread.of([speed * 0.96, speed, speed * 1.05]),
    )


def _mix(left_out: int) -> Mix:
    plan = {name: "float32" if place < left_out else "int8" for place, name in enumerate(_LAYERS)}
    return Mix.of("onnx_cpu", "int8", plan)


def _whole(recipe: str) -> Mix:
    return Mix(backend="onnx_cpu", recipe=recipe)


_CHOSEN = evolve(_trial(_mix(3), 29.4, 2.31, 0.9820, 0.9951), held_out=_fidelity(0.9793, 0.9948))

_FOUND = Found(
    model="minilm",
    bounds=Bounds(min_mean_cosine=0.995, min_speedup=1.5),
    texts="112 built-in texts to calibrate, 112 to choose by, 112 held out",
    machine=Machine(cpu="A processor", features=("avx2",), cpus=2, system="Linux x86_64"),
    trials=(
        evolve(_trial(_whole("int8"), 22.9, 2.62, 0.9655, 0.9918), missed="mean cosine"),
        evolve(_trial(_mix(1), 25.1, 2.49, 0.9744, 0.9937), missed="mean cosine"),
        evolve(
            _trial(_whole("int8-dynamic"), 22.8, 2.4, 0.9721, 0.9922),
            batch_dependent=True,
            missed="mean cosine",
        ),
        _CHOSEN,
        _trial(_mix(5), 41.2, 1.93, 0.9880, 0.9968),
        evolve(_trial(_whole("q8"), 31.0, 1.02, 0.9989, 0.9997), missed="speed"),
        evolve(_trial(_whole("fp16"), 45.5, 0.96, 0.99998, 0.99999), missed="speed"),
        Trial(mix=_whole("q4-tables"), missed="Gather <0> holds NaN\nand infinity"),
    ),
    chosen=_CHOSEN,
    converted=None,
    sensitivities=tuple(
        Sensitivity(
            backend="onnx_cpu", layers=(name,), recipe="int8", mean=0.002 / (n + 1), worst=0.01
        )
        for n, name in enumerate(_LAYERS)
    ),
    refusals=(Refusal(backend="openvino", reason="not installed"),),
    float32_bytes=90_900_000,
    seconds=212.3,
)


class _Page(HTMLParser):
    """The text of every table cell, row by row, and every tag with its attributes."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.rows: list[list[str]] = []
        self.text = ""
        self._in_cell = False
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
            self._in_cell = True

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th"):
            self._in_cell = False

    def handle_data(self, data: str) -> None:
        self.text += data
        if self._in_cell:
            self.rows[-1][-1] += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        """The attributes of every such tag."""
        return [attributes for name, attributes in self.tags if name == tag]


def _written(found: Found, folder: Path, name: str = "all-MiniLM-L6-v2") -> _Page:
    page, picture = write_page(evolve(found, model=name), folder / "report.html")
    assert picture.read_bytes().startswith(_PNG)
    assert sorted(folder.iterdir()) == [page, picture]
    return _Page(page)


def test_every_trial_is_in_the_table(tmp_path: Path) -> None:
    """Each candidate has a row with its mix, size, speed, fidelity and verdict, in order."""
    rows = [row for row in _written(_FOUND, tmp_path).rows if len(row) == 10][1:]
    assert [row[0] for row in rows] == [str(n) for n in range(1, 9)]
    assert [row[1].strip() for row in rows] == [str(one.mix) for one in _FOUND.trials]
    assert rows[3] == [
        "4",
        "9 int8 + 3 float32",
        "onnx_cpu",
        "29.4 MB",
        "2.31 2.22 to 2.43",
        "0.9820",
        "0.9951",
        "no",
        "0.9793,0.9948",
        "chosen",
    ]
    assert rows[2][7] == "yes"
    assert [row[9] for row in rows[4:6]] == ["keeps all", "misses: speed"]
    assert rows[7][9] == "failed: Gather <0> holds NaN\nand infinity"


def test_every_layer_says_what_it_loses_and_what_it_became(tmp_path: Path) -> None:
    """Layers stand worst first, and the last column is their recipe in the chosen mix."""
    rows = [row for row in _written(_FOUND, tmp_path).rows if len(row) == 3]
    assert rows[0] == ["Layer", "int8", "In the chosen mix"]
    assert [row[0] for row in rows[1:]] == list(_LAYERS)
    assert rows[1][1] == "0.002000 worst 0.010000"
    assert [row[2] for row in rows[1:]] == ["float32"] * 3 + ["int8"] * 9


def test_layers_of_two_backends_are_kept_apart(tmp_path: Path) -> None:
    """The same names in two backends are two tables; only the chosen one says what became."""
    other = tuple(evolve(one, backend="other", mean=0.5) for one in _FOUND.sensitivities)
    found = evolve(_FOUND, sensitivities=(*_FOUND.sensitivities, *other))
    page = _written(found, tmp_path)
    assert len([row for row in page.rows if len(row) == 3]) == 1 + len(_LAYERS)
    assert len([row for row in page.rows if len(row) == 2]) == 1 + len(_LAYERS)


def test_the_heading_says_what_was_asked_and_chosen(tmp_path: Path) -> None:
    """Model, bounds, machine, texts, the choice, its held-out fidelity and who took no part."""
    text = " ".join(_written(_FOUND, tmp_path).text.split())
    for words in (
        "all-MiniLM-L6-v2",
        str(_FOUND.bounds),
        str(_FOUND.machine),
        _FOUND.texts,
        "Chosen: 9 int8 + 3 float32 by onnx_cpu",
        "120 texts that had no say in the choice: lowest cosine 0.9793, mean 0.9948",
    ):
        assert words in text
    assert text.partition("took no part")[2].startswith(" openvinonot installed")


def test_names_are_escaped(tmp_path: Path) -> None:
    """A model, recipe, layer, error or backend named like a script is shown and does not run."""
    mix = Mix(backend=_HOSTILE, recipe=_HOSTILE)
    worst = Sensitivity(backend=_HOSTILE, layers=(_HOSTILE,), recipe=_HOSTILE, mean=1, worst=1)
    found = evolve(
        _FOUND,
        texts=_HOSTILE,
        trials=(_trial(mix, 1, 2, 0.9, 0.99), Trial(mix=mix, missed=_HOSTILE)),
        chosen=_trial(mix, 1, 2, 0.9, 0.99),
        sensitivities=(worst,),
        refusals=(Refusal(backend=_HOSTILE, reason=_HOSTILE),),
    )
    page = _written(found, tmp_path, _HOSTILE)
    assert not page.all("script")
    assert page.text.count(_HOSTILE) >= 12


def test_the_page_needs_nothing_but_itself(tmp_path: Path) -> None:
    """No link leads out, no script runs, and the plot inside is the PNG that lies beside it."""
    page = _written(_FOUND, tmp_path)
    names = {tag for tag, _ in page.tags}
    assert names.isdisjoint({"script", "link", "iframe", "object", "a"})
    inside = str(page.all("img")[0]["src"])
    assert (
        base64.b64decode(inside.removeprefix("data:image/png;base64,"))
        == (tmp_path / "report.png").read_bytes()
    )
    dark = str(page.all("source")[0]["srcset"])
    assert base64.b64decode(dark.removeprefix("data:image/png;base64,")).startswith(_PNG)
    assert not re.search(r"https?://|url\(", (tmp_path / "report.html").read_text("utf-8"))


def test_the_page_can_be_read_without_seeing_it(tmp_path: Path) -> None:
    """The plot has a description in words, and every header cell says what it heads."""
    page = _written(_FOUND, tmp_path)
    assert "9 int8 + 3 float32" in str(page.all("img")[0]["alt"])
    assert {cell.get("scope") for cell in page.all("th")} == {"col", "row"}
    assert page.all("html")[0]["lang"] == "en"


def test_nothing_found_names_the_nearest(tmp_path: Path) -> None:
    """Where nothing keeps the bounds, the page says so and names the three that lose least."""
    trials = tuple(evolve(one, missed=one.missed or "size", held_out=None) for one in _FOUND.trials)
    found = evolve(_FOUND, bounds=Bounds(min_cosine=0.999, max_size=1), trials=trials, chosen=None)
    page = _written(found, tmp_path)
    assert "Nothing of 8 tried keeps the bounds" in page.text
    nearest = page.text.partition("The nearest:")[2].partition("Asked for")[0]
    assert re.findall(r"onnx_cpu (.*?):", nearest) == ["fp16", "q8", "7 int8 + 5 float32"]
    assert "chosen" not in [row[-1] for row in page.rows]


_ALL = Bounds(min_cosine=1, min_mean_cosine=1, max_size=1, min_speedup=100)


@pytest.mark.parametrize(
    ("trials", "bounds"),
    [
        pytest.param((), _ALL, id="none"),
        pytest.param((_CHOSEN,), Bounds(), id="one"),
        pytest.param(tuple(Trial(mix=_whole(r), missed="broke") for r in "ab"), _ALL, id="failed"),
        pytest.param(
            tuple(_trial(_mix(n), 20, 1, 1.0, 1.0 + n * 1e-12) for n in range(12)),
            Bounds(),
            id="all exact",
        ),
        pytest.param((_trial(_mix(1), 20, 1.5, 1.0, 1.0),), _ALL, id="exact, and asked to be"),
        pytest.param(
            (_trial(_mix(1), 20, 1.5, -1.0, -1.0),),
            Bounds(min_cosine=-1, min_mean_cosine=-1),
            id="opposite",
        ),
        pytest.param((_trial(_mix(1), 0, 1e-4, 0.9, 0.9),), _ALL, id="empty and slow"),
    ],
)
def test_any_outcome_can_be_drawn(
    trials: tuple[Trial, ...], bounds: Bounds, tmp_path: Path
) -> None:
    """No trial, one, failed ones and cosines of 1, which have no logarithm of their loss."""
    found = evolve(_FOUND, trials=trials, bounds=bounds, chosen=None, sensitivities=())
    page = _written(found, tmp_path)
    assert "No layer was measured by itself" in page.text


def test_the_same_search_gives_the_same_files(tmp_path: Path) -> None:
    """Writing twice replaces both files by the same bytes."""
    first = [path.read_bytes() for path in write_page(_FOUND, tmp_path / "report.html")]
    assert first == [path.read_bytes() for path in write_page(_FOUND, tmp_path / "report.html")]


def test_a_missing_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without Jinja2 and matplotlib the error says which extra to install."""
    monkeypatch.setitem(sys.modules, "jinja2", None)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(UsageError, match=r'jinja2 and matplotlib.*pip install "hotbed\[report\]"'):
        require_page(tmp_path / "report.html")


def test_a_path_that_is_no_place_for_a_page_is_refused(tmp_path: Path) -> None:
    """Another ending and a folder that does not exist are named together, and nothing is made."""
    path = tmp_path / "absent" / "report.pdf"
    with pytest.raises(UsageError, match=r"report\.pdf does not end in \.html.*absent.*not exist"):
        require_page(path)
    (tmp_path / "report.png").mkdir()
    with pytest.raises(UsageError, match=r"report\.png is a folder"):
        require_page(tmp_path / "report.html")
    assert not path.parent.exists()


def test_labels_take_the_nearest_free_place() -> None:
    """Right first; what is taken or outside is passed over, so are ways across."""
    marker, inside = Box.around(50, 50, 4, 4), Box(0, 0, 100, 100)
    right = find_room(marker, 20, 6, 6, [], inside)
    assert right is not None
    assert right.left > marker.right
    left = find_room(marker, 20, 6, 6, [right], inside)
    assert left is not None
    assert left.right < marker.left
    above = find_room(marker, 20, 6, 6, [], inside, [left, right])
    assert above is not None
    assert above.bottom > marker.top
    assert find_room(marker, 20, 6, 6, [], marker) is None
