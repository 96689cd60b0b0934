"""The wrapper sees every call of every backend, and changes nothing.

The outside oracle for "every call" is hotbed's own trace (``HOTBED_TRACE=1``), which pluggy writes
whether or not a wrapper is there.
"""

from __future__ import annotations

import re
import sys
import urllib.request
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import hotbed_timing
import numpy as np
import pytest
from prometheus_client import REGISTRY, start_http_server

import hotbed
from hotbed.backends.catalog import WRAPPERS, Catalog
from hotbed.errors import ClosedError, HotbedError
from hotbed.loading import House
from hotbed.settings import load_settings
from hotbed.testing import build_tiny

BACKENDS = ("onnx_cpu", "wordmean")
LIMIT = 16  # tokens that the tiny model reads
TEXTS = [" ".join(["bread", "water", "stone"][: 1 + n % 3] * (1 + n % 5)) for n in range(90)]

pytestmark = pytest.mark.filterwarnings("ignore::hotbed.HotbedWarning")


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Settings and caches of the test's own, and the second backend installed."""
    site = tmp_path / "site"
    info = site / "hotbed_wordmean-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: hotbed-wordmean\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[hotbed.backends]\nwordmean = hotbed_wordmean\n")
    monkeypatch.syspath_prepend(site)
    monkeypatch.syspath_prepend(Path(__file__).parent / "backends")
    monkeypatch.setenv("HOTBED_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("HOTBED_TRACE", "1")
    monkeypatch.chdir(tmp_path)
    hotbed.refresh()
    yield tmp_path
    hotbed.refresh()


@pytest.fixture
def folder(place: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """A tiny model that both backends can run, converted and checked already."""
    made = build_tiny(place / "tiny", max_seq_length=LIMIT)
    hotbed.load(made, backend="onnx_cpu").close()
    capsys.readouterr()
    return made


def recorded(name: str, **labels: str) -> float:
    """The sum of a sample over all series that have these labels."""
    return sum(
        sample.value
        for metric in REGISTRY.collect()
        for sample in metric.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    )


class Since:
    """What was recorded since this was made, for one backend."""

    def __init__(self, backend: str) -> None:
        self._labels = {"backend": backend, "device": "cpu", "dtype": "float32"}
        self._before = {name: recorded(name, **self._labels) for name in _NAMES}

    def __getitem__(self, name: str) -> float:
        return recorded(name, **self._labels) - self._before[name]


_NAMES = (
    *(f"hotbed_{hook}_seconds_{part}" for hook in ("embed", "pool") for part in ("count", "sum")),
    "hotbed_embed_errors_total",
    "hotbed_pool_errors_total",
    "hotbed_texts_total",
    "hotbed_tokens_total",
)


def traced(capsys: pytest.CaptureFixture[str], backend: str) -> Counter[str]:
    """How often hotbed's trace names each hook of a backend."""
    return Counter(re.findall(rf"^hotbed: {backend}  (hotbed_\w+)", capsys.readouterr().err, re.M))


def test_it_is_installed() -> None:
    """hotbed finds it among its wrappers, from its own distribution."""
    (found,) = [one for one in Catalog(WRAPPERS).found() if one.name == "timing"]
    assert (found.dist, found.usable) == ("hotbed-timing", True)
    assert found.plugin is hotbed_timing


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("batch_size", [1, 7, None])
def test_every_batch_of_every_backend_is_counted(
    backend: str, batch_size: int | None, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Calls equal the trace's; texts and tokens equal what was given."""
    since = Since(backend)
    with hotbed.load(folder, backend=backend) as model:
        model.encode(TEXTS, batch_size=batch_size)
        model.encode(TEXTS[0])
        # For the token embeddings of a batch hotbed runs it twice: once for them, once for vectors.
        model.encode(TEXTS[:3], output_value="token_embeddings")
        went_through = [*TEXTS, TEXTS[0], *TEXTS[:3], *TEXTS[:3]]
        tokens = np.minimum(model.count_tokens(went_through), LIMIT)
    calls = traced(capsys, backend)
    assert since["hotbed_embed_seconds_count"] == calls["hotbed_embed"] > 3
    assert since["hotbed_pool_seconds_count"] == calls["hotbed_pool"]
    assert (calls["hotbed_pool"] > 0) == (backend == "wordmean")
    assert since["hotbed_texts_total"] == len(went_through)
    assert since["hotbed_tokens_total"] == tokens.sum()
    assert 0 < since["hotbed_embed_seconds_sum"] < 60
    assert since["hotbed_embed_errors_total"] == since["hotbed_pool_errors_total"] == 0


@pytest.mark.parametrize("backend", BACKENDS)
def test_eight_threads_lose_no_count(
    backend: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Calls from eight threads at once are all there."""
    since = Since(backend)
    with hotbed.load(folder, backend=backend) as model, ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: model.encode(TEXTS, batch_size=4), range(24)))
    assert since["hotbed_embed_seconds_count"] == traced(capsys, backend)["hotbed_embed"]
    assert since["hotbed_texts_total"] == 24 * len(TEXTS)


@pytest.mark.parametrize("backend", BACKENDS)
def test_vectors_are_the_same_bytes_without_it(backend: str, folder: Path) -> None:
    """A house without wrappers gives bit for bit what the wrapped one gives."""
    bare = House(load_settings())
    bare.wrappers = Catalog(WRAPPERS, read=lambda group: [])
    since = Since(backend)
    with hotbed.load(folder, backend=backend, house=bare) as model:
        plain = model.encode(TEXTS)
    assert since["hotbed_embed_seconds_count"] == 0
    with hotbed.load(folder, backend=backend) as model:
        timed = model.encode(TEXTS)
    assert since["hotbed_embed_seconds_count"] > 0
    np.testing.assert_array_equal(timed, plain)


def test_a_failing_batch_is_an_error_and_a_call(folder: Path) -> None:
    """It is timed, counted as failed, not among the texts, and raised as it was."""
    since = Since("onnx_cpu")
    with hotbed.load(folder, backend="onnx_cpu") as model:
        model.loaded.handle.close()
        with pytest.raises(ClosedError, match="session was closed"):
            model.encode("bread")
    assert since["hotbed_embed_seconds_count"] == since["hotbed_embed_errors_total"] == 1
    assert since["hotbed_texts_total"] == since["hotbed_tokens_total"] == 0


def test_loads_are_timed_and_failing_ones_counted(place: Path, folder: Path) -> None:
    """A good file and a broken one are two loads and one error, under the backend's name."""
    labels = {"backend": "onnx_cpu", "device": "cpu", "dtype": "float32"}
    names = ("hotbed_load_seconds_count", "hotbed_load_errors_total")
    before = [recorded(name, **labels) for name in names]
    hotbed.load(folder, backend="onnx_cpu").close()
    broken = build_tiny(place / "broken")
    (broken / "model.safetensors").unlink()
    (broken / "onnx").mkdir()
    (broken / "onnx" / "model.onnx").write_bytes(b"not a graph")
    with pytest.raises(HotbedError):
        hotbed.load(broken, backend="onnx_cpu")
    assert [recorded(name, **labels) - was for name, was in zip(names, before, strict=True)] == [
        2,
        1,
    ]


def test_a_second_import_counts_on(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Imported again, it registers no name twice, and goes on with the same series."""
    since = Since("wordmean")
    with hotbed.load(folder, backend="wordmean") as model:
        model.encode("bread")
    for name in ("hotbed_timing", "hotbed_timing.metrics"):
        monkeypatch.delitem(sys.modules, name)
    hotbed.refresh()
    with hotbed.load(folder, backend="wordmean") as model:
        model.encode("bread")
    assert sys.modules["hotbed_timing"] is not hotbed_timing
    assert since["hotbed_embed_seconds_count"] == 2


def test_the_series_are_served(folder: Path) -> None:
    """The page that Prometheus reads holds histograms with all three labels."""
    with hotbed.load(folder, backend="wordmean") as model:
        model.encode("bread")
    server, thread = start_http_server(0, addr="127.0.0.1")
    try:
        # No proxy: the server is on this machine.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"http://127.0.0.1:{server.server_port}/metrics", timeout=10) as page:
            text = page.read().decode()
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    labels = 'backend="wordmean",device="cpu",dtype="float32"'
    assert f'hotbed_embed_seconds_bucket{{{labels},le="+Inf"}}' in text
    assert f"hotbed_texts_total{{{labels}}}" in text
