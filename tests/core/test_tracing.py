"""``HOTBED_TRACE=1``: a line for each hook call, with its backend, its time and its error."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hotbed.backends import (
    Artifact,
    Loaded,
    LoadOptions,
    Pooling,
    Probe,
    ProbeRequest,
    TokenBatch,
    Variant,
)
from hotbed.backends.engine import Engine
from hotbed.errors import BackendError
from hotbed.inference.defaults import CoreDefaults
from tests.core.backends import backend, wrapper
from tests.isolation import child_environment

SENTENCES = "sentence_embedding"
LINE = re.compile(
    r"hotbed: (?P<backend>\S+)  (?P<hook>hotbed_\w+)(?P<about>(?: \S+)*)  (?P<ms>\d+\.\d{3}) ms"
    r"(?:  (?P<error>.+))?"
)
ARTIFACT = Artifact(
    folder=Path("m"),
    path=Path("m/onnx/model.onnx"),
    variant=Variant(format="onnx", file="onnx/model.onnx"),
)
LOADED = Loaded(
    handle=None, device="cpu", provider="numpy", dtype="float32", outputs=(SENTENCES,), dimension=4
)


def batch(rows: int, tokens: int = 3) -> TokenBatch:
    """A batch of ones."""
    ones = np.ones((rows, tokens), dtype=np.int64)
    return TokenBatch(input_ids=ones, attention_mask=ones, pooling_mask=ones)


def engine(
    name: str = "acme",
    *,
    trace: bool = True,
    wrappers: tuple[Any, ...] = (),
    **hooks: Callable[..., Any],
) -> Engine:
    """An engine over a backend with these hooks."""
    found = backend(name, hooks=hooks)
    return Engine(found, wrappers=wrappers, defaults=[CoreDefaults()], trace=trace)


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, str]]:
    """What was printed since the last look, line by line; nothing else may be."""
    out, err = capsys.readouterr()
    assert out == ""
    matches = [LINE.fullmatch(line) for line in err.splitlines()]
    assert all(matches), err
    return [match.groupdict() for match in matches if match]


def told(capsys: pytest.CaptureFixture[str]) -> tuple[str, str]:
    """Hook and what it was about, of the one line."""
    (line,) = lines(capsys)
    return line["hook"], line["about"].strip()


def embed(batch: TokenBatch) -> dict[str, Any]:
    """Zeros."""
    return {SENTENCES: np.zeros((len(batch.input_ids), 4), np.float32)}


def test_each_call_is_a_line_that_tells_what_it_was_about(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A probe names the action and the device, a load the file, an embed the batch's shape."""
    made = engine(
        hotbed_probe=lambda: Probe(ok=True), hotbed_load=lambda: LOADED, hotbed_embed=embed
    )
    made.probe(ProbeRequest(action="convert", device="cuda:1"))
    assert told(capsys) == ("hotbed_probe", "convert on cuda:1")
    loaded = made.load(ARTIFACT, LoadOptions())
    assert told(capsys) == ("hotbed_load", "model.onnx")
    made.embed(loaded, batch(5, 7), (SENTENCES,))
    assert told(capsys) == ("hotbed_embed", "5×7")
    made.pool(loaded, np.ones((2, 3, 4), np.float32), batch(2), Pooling())
    assert told(capsys)[0] == "hotbed_pool"
    made.close(loaded)
    assert told(capsys) == ("hotbed_close", "")


def test_the_time_is_that_of_the_call(capsys: pytest.CaptureFixture[str]) -> None:
    """A hook that takes 0.1 s is said to take that, and one that does nothing much less."""

    def slowly(batch: TokenBatch) -> dict[str, Any]:
        time.sleep(0.1)
        return embed(batch)

    engine(hotbed_embed=slowly).embed(LOADED, batch(1), (SENTENCES,))
    (slow,) = lines(capsys)
    assert 100 <= float(slow["ms"]) < 10_000
    made = engine(hotbed_embed=embed)
    for _ in range(9):  # a busy machine may stop one of them on its way
        made.embed(LOADED, batch(1), (SENTENCES,))
    assert min(float(line["ms"]) for line in lines(capsys)) < 50


def test_an_error_stands_in_the_line_and_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    """The plugin's own error is printed where it happened; the caller gets its BackendError."""

    def fail() -> Loaded:
        raise RuntimeError("driver too old")

    with pytest.raises(BackendError, match="driver too old"):
        engine(hotbed_load=fail).load(ARTIFACT, LoadOptions())
    (line,) = lines(capsys)
    assert (line["hook"], line["error"]) == ("hotbed_load", "RuntimeError: driver too old")


def test_what_wrappers_add_is_in_the_time(capsys: pytest.CaptureFixture[str]) -> None:
    """The line is about the whole call, as the caller waits for it."""

    def around() -> Generator[None, Any, Any]:
        time.sleep(0.03)
        return (yield)

    made = engine(wrappers=(wrapper(hotbed_embed=around),), hotbed_embed=embed)
    made.embed(LOADED, batch(1), (SENTENCES,))
    (line,) = lines(capsys)
    assert float(line["ms"]) >= 30


def test_a_call_inside_a_call_keeps_its_own_time(capsys: pytest.CaptureFixture[str]) -> None:
    """A backend that uses another one: the inner line comes first, and is the shorter one."""
    inner = engine("inner", hotbed_embed=embed)

    def outer(batch: TokenBatch) -> dict[str, Any]:
        time.sleep(0.02)
        return inner.embed(LOADED, batch, (SENTENCES,))

    engine("outer", hotbed_embed=outer).embed(LOADED, batch(1), (SENTENCES,))
    first, second = lines(capsys)
    assert (first["backend"], second["backend"]) == ("inner", "outer")
    assert float(first["ms"]) < float(second["ms"])
    assert float(second["ms"]) >= 20


def test_a_call_inside_a_call_of_the_same_engine(capsys: pytest.CaptureFixture[str]) -> None:
    """The times do not get mixed up where a hook calls its own backend again."""
    made: list[Engine] = []

    def halving(batch: TokenBatch) -> dict[str, Any]:
        rows = len(batch.input_ids)
        if rows > 1:
            time.sleep(0.2)
            made[0].embed(LOADED, _batch(rows // 2), (SENTENCES,))
        return embed(batch)

    _batch = batch
    made.append(engine(hotbed_embed=halving))
    made[0].embed(LOADED, batch(4), (SENTENCES,))
    printed = lines(capsys)
    assert [line["about"].strip() for line in printed] == ["1×3", "2×3", "4×3"]
    times = [float(line["ms"]) for line in printed]
    assert times[0] < 200 <= times[1]
    assert times[1] + 200 <= times[2]


def test_threads_do_not_disturb_one_another(capsys: pytest.CaptureFixture[str]) -> None:
    """Of two calls that overlap, the one that began first and ended first keeps its own time."""
    second_began = threading.Event()
    first_ended = threading.Event()

    def overlap(batch: TokenBatch) -> dict[str, Any]:
        if len(batch.input_ids) == 1:
            assert second_began.wait(30)
        else:
            second_began.set()
            assert first_ended.wait(30)
        return embed(batch)

    made = engine(hotbed_embed=overlap)

    def first() -> None:
        made.embed(LOADED, batch(1), (SENTENCES,))
        first_ended.set()

    threads = [
        threading.Thread(target=first),
        threading.Thread(target=made.embed, args=(LOADED, batch(2), (SENTENCES,))),
    ]
    threads[0].start()
    time.sleep(0.3)
    threads[1].start()
    for thread in threads:
        thread.join()
    times = {line["about"].strip(): float(line["ms"]) for line in lines(capsys)}
    assert times["1×3"] >= 300 > times["2×3"]


def test_without_trace_nothing_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """An engine says nothing unless it is asked to."""
    engine(trace=False, hotbed_embed=embed).embed(LOADED, batch(1), (SENTENCES,))
    assert capsys.readouterr() == ("", "")


def test_the_variable_turns_it_on_for_a_process() -> None:
    """``HOTBED_TRACE=1`` prints what a command calls on standard error; its output stays clean."""
    command = [sys.executable, "-m", "hotbed", "backends", "--json"]
    quiet = subprocess.run(
        command, capture_output=True, text=True, check=True, env=child_environment()
    )
    loud = subprocess.run(
        command, capture_output=True, text=True, check=True, env=child_environment(HOTBED_TRACE="1")
    )
    assert quiet.stderr == ""
    assert loud.stdout == quiet.stdout
    matches = [LINE.fullmatch(line) for line in loud.stderr.splitlines()]
    assert all(matches), loud.stderr
    calls = [(m["backend"], m["hook"], m["about"].strip()) for m in matches if m]
    assert ("onnx_cpu", "hotbed_probe", "embed on cpu") in calls
    assert ("onnx_cpu", "hotbed_probe", "convert on cpu") in calls
