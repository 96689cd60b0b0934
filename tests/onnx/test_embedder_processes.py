"""Embedders in other processes: pickled, spawned, forked."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import hotbed
from hotbed.errors import ClosedError
from tests.isolation import child_environment

CHILDREN = """
import multiprocessing, operator, sys
import numpy as np
import hotbed

def main():
    method, folder = sys.argv[1:]
    texts = ["the cat", "a dog runs over the river", "bread"]
    model = hotbed.load(folder, truncate_dim=16, prompts={"query": "query : "})
    model.max_seq_length = 5
    expected = model.encode_query(texts)
    context = multiprocessing.get_context(method)
    with context.Pool(2) as pool:
        found = pool.map(operator.methodcaller("encode_query", texts), [model] * 4)
    for rows in found:
        np.testing.assert_allclose(rows, expected, atol=1e-6)
    assert np.array_equal(model.encode_query(texts), expected)
    print("alike")

if __name__ == "__main__":
    main()
"""

INHERITED = """
import faulthandler, gc, os, sys, traceback
import numpy as np
import hotbed

texts = ["the cat", "a dog runs over the river"] * int(sys.argv[2])
model = hotbed.load(sys.argv[1])
model.max_seq_length = 5
expected = model.encode(texts)
child = os.fork()
if child == 0:
    faulthandler.dump_traceback_later(30, exit=True)
    code = 1
    try:
        alike = np.allclose(model.encode(texts), expected, atol=1e-6)
        code = 0 if alike and model.max_seq_length == 5 else 2
    except BaseException:
        traceback.print_exc()
    os._exit(code)  # as multiprocessing ends its children
_, status = os.waitpid(child, 0)
assert status == 0, status
idle = os.fork()
if idle == 0:
    faulthandler.dump_traceback_later(30, exit=True)
    del model
    gc.collect()
    os._exit(0)
assert os.waitpid(idle, 0)[1] == 0
assert np.allclose(model.encode(texts), expected, atol=1e-6)
print("alike")
"""


def run(script: Path, *arguments: str) -> str:
    """Run a script in a process of its own."""
    done = subprocess.run(
        [sys.executable, str(script), *arguments],
        capture_output=True,
        text=True,
        env=child_environment(PYTHONWARNINGS="ignore"),
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_workers_open_the_model_again(tiny: Path, tmp_path: Path, method: str) -> None:
    """A worker gets the model with its options and what was set on it, and embeds alike."""
    script = tmp_path / "children.py"
    script.write_text(CHILDREN)
    assert run(script, method, str(tiny)) == "alike"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not fork")
@pytest.mark.parametrize("times", [1, 2000])
def test_a_forked_child_opens_a_session_of_its_own(tiny: Path, tmp_path: Path, times: int) -> None:
    """An inherited embedder works in the child and in the parent, and a child may drop it."""
    script = tmp_path / "inherited.py"
    script.write_text(INHERITED)
    assert run(script, str(tiny), str(times)) == "alike"


def test_a_pickle_holds_no_weights_and_no_secret(tiny: Path) -> None:
    """Only the name and the options travel: the pickle is small and carries no token."""
    with hotbed.load(tiny, token="hf_secret", default_prompt_name="query") as model:
        data = pickle.dumps(model)
        assert b"hf_secret" not in data
        assert len(data) < 2000
        with pickle.loads(data) as again:
            assert np.array_equal(again.encode("cat"), model.encode("cat"))
            assert again.default_prompt_name == "query"


def test_what_was_set_since_travels_too(tiny: Path) -> None:
    """A limit of length set after loading is part of the model that comes out of the pickle."""
    with hotbed.load(tiny) as model:
        model.max_seq_length = 4
        model.truncate_dim = 8
        with pickle.loads(pickle.dumps(model)) as again:
            assert again.max_seq_length == 4
            assert again.encode("cat").shape == (8,)


def test_a_closed_embedder_does_not_pickle(tiny: Path) -> None:
    """What was closed does not come to life again elsewhere."""
    model = hotbed.load(tiny)
    model.close()
    with pytest.raises(ClosedError):
        pickle.dumps(model)
