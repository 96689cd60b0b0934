"""Threads, lanes, close, and other processes.

Eight threads at once, spawned processes and leaks are in hotbed's kit; here stands what is
OpenVINO's own trouble.
"""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import hotbed
from hotbed.errors import ClosedError

FORKED = """
import faulthandler, gc, os, sys, traceback
import numpy as np
import hotbed

def in_child(work):
    child = os.fork()
    if child == 0:
        faulthandler.dump_traceback_later(60, exit=True)
        try:
            work()
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0

def embeds():
    np.testing.assert_allclose(model.encode(texts), expected, atol=1e-6)

def drops():
    global model
    del model
    gc.collect()

texts = ["the cat", "a dog runs over the river"] * int(sys.argv[2])
model = hotbed.load(sys.argv[1], backend="openvino", threads=2)
expected = model.encode(texts)
in_child(embeds)
in_child(drops)
embeds()
print("alike")
"""

WORDS = ["bread", "water", "stone", "the red fish", "a dog runs over the river ."]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.parametrize("times", [1, 1000])
def test_a_forked_child(tiny: Path, place: Path, times: int) -> None:
    """A child embeds, or drops what it inherited, and waits for no thread of its parent.

    Once after a single batch, and once after batches side by side, which compile a second model.
    """
    script = place / "forked.py"
    script.write_text(FORKED)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(script), str(tiny), str(times)],
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "alike"


def test_lanes_give_what_one_call_gives(tiny: Path) -> None:
    """A list long enough for batches side by side has the vectors of single texts."""
    with hotbed.load(tiny, backend="openvino", threads=2) as model:
        assert model.loaded.lanes == 2
        alone = np.stack([model.encode(text) for text in WORDS])
        assert model.loaded.handle.lanes is None
        many = model.encode(WORDS * 200)
        assert model.loaded.handle.lanes is not None
    np.testing.assert_allclose(many, np.tile(alone, (200, 1)), atol=1e-5)


def test_threads_are_those_given(tiny: Path) -> None:
    """``threads=1`` reaches OpenVINO."""
    with hotbed.load(tiny, backend="openvino", threads=1) as model:
        compiled = model.loaded.handle.alone
        assert compiled.get_property("INFERENCE_NUM_THREADS") == 1
        assert model.loaded.lanes == 1
        assert ("threads", "1") in model.loaded.facts


def test_closing_while_others_embed(tiny: Path) -> None:
    """A call that runs when the model is closed ends well, or says that it was closed."""
    model = hotbed.load(tiny, backend="openvino")
    expected = model.encode(WORDS)

    def work(_: int) -> bool:
        try:
            return np.allclose(model.encode(WORDS), expected, atol=1e-6)
        except ClosedError:
            return True

    with ThreadPoolExecutor(8) as pool:
        results = pool.map(work, range(400))
        model.close()
        assert all(results)
    with pytest.raises(ClosedError):
        model.encode("bread")
