"""Every option of ``load`` outlives the setter, a pickle, a fork and a deployment."""

from __future__ import annotations

import inspect
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hotbed
from hotbed import Embedder
from hotbed.deployment import Deployment, ModelPool
from hotbed.errors import UsageError
from hotbed.loading import House
from hotbed.registry import Registry
from hotbed.settings import load_settings
from hotbed.testing import build_tiny
from tests.isolation import child_environment

DEFAULTS = {name: one.default for name, one in inspect.signature(hotbed.load).parameters.items()}


def chosen(place: Path) -> dict[str, Any]:
    """A value for every option of ``load``, none of them its default."""
    return {
        "backend": "onnx_cpu",
        "device": "cpu",
        "dtype": "float32",
        "revision": "0.0.1",
        "token": True,
        "cache_folder": str(place / "hub"),
        "local_files_only": True,
        "registry": str(place / "registry"),
        "paranoid": True,
        "threads": 1,
        "batch_invariant": True,
        "on_nonfinite": "warn",
        "max_seq_length": 9,
        "truncate_dim": 16,
        "prompts": {"query": "question : ", "mine": "the "},
        "default_prompt_name": "mine",
        "house": House(load_settings()),
    }


REFUSED = {"model", "trust_remote_code"}
"""Given otherwise, and never true."""


def state(model: Embedder) -> dict[str, Any]:
    """Everything about an embedder that an option of ``load`` decides."""
    opening: Any = model._reopen
    runner = model._open()
    asked = {name: getattr(opening, name) for name in DEFAULTS if name not in REFUSED}
    asked["house"] = asked["house"].settings if asked["house"] else None
    return {
        **{f"asked {name}": value for name, value in asked.items()},
        "device": runner.loaded.device,
        "dtype": runner.loaded.dtype,
        "backend": runner.loaded.backend,
        "threads": dict(runner.loaded.facts)["threads"],
        "batch_invariant": runner.batch_invariant,
        "on_nonfinite": runner.on_nonfinite,
        "max_seq_length": model.max_seq_length,
        "truncate_dim": model.truncate_dim,
        "prompts": model.prompts,
        "default_prompt_name": model.default_prompt_name,
    }


@pytest.fixture
def registered(tmp_path: Path) -> Path:
    """A folder with a registry that holds ``support@0.0.1``."""
    with Registry(tmp_path / "registry", who="ada") as registry:
        registry.register("support", build_tiny(tmp_path / "tiny"))
    return tmp_path


def test_no_option_is_forgotten_here(registered: Path) -> None:
    """Whoever adds an option to ``load`` gives it a value above."""
    given = chosen(registered)
    assert set(given) | REFUSED == set(DEFAULTS)
    assert [name for name in given if given[name] == DEFAULTS[name]] == []


def test_options_outlive_the_setter_and_a_pickle(registered: Path) -> None:
    """Setting one thing changes that and nothing else, there and in what comes out of a pickle."""
    with hotbed.load("registry:support", **chosen(registered)) as model:
        wanted = state(model)
        for name, value in (("max_seq_length", 7), ("truncate_dim", 8)):
            setattr(model, name, value)
            wanted[name] = value
            assert state(model) == wanted
        with pickle.loads(pickle.dumps(model)) as again:
            assert state(again) == wanted
            with pickle.loads(pickle.dumps(again)) as third:
                assert state(third) == wanted
                assert np.array_equal(third.encode(["a cat"]), model.encode(["a cat"]))


def test_what_was_set_to_none_stays_none(tmp_path: Path) -> None:
    """None, set on an embedder that was loaded with a number, travels as None."""
    with hotbed.load(build_tiny(tmp_path / "m"), truncate_dim=8, max_seq_length=5) as model:
        model.truncate_dim = model.max_seq_length = None
        limit = model.max_seq_length
        with pickle.loads(pickle.dumps(model)) as again:
            assert again.truncate_dim is None
            assert again.encode("a cat").shape == (32,)
            assert again.max_seq_length == limit != 5


FORKED = """
import os, pickle, sys
from pathlib import Path
import hotbed
from tests.onnx.test_load_options import chosen, state

model = hotbed.load("registry:support", **chosen(Path(sys.argv[1])))
model.max_seq_length = 7
model.encode(["a cat"])
wanted = state(model)
child = os.fork()
if child == 0:
    code = 1
    try:
        code = 0 if state(model) == wanted else 2
    finally:
        os._exit(code)
assert os.waitpid(child, 0)[1] == 0
print("alike")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not fork")
def test_options_outlive_a_fork(registered: Path) -> None:
    """A forked child opens the model with every option, and with what was set since."""
    done = subprocess.run(
        [sys.executable, "-c", FORKED, str(registered)],
        capture_output=True,
        text=True,
        env=child_environment(PYTHONWARNINGS="ignore", PYTHONPATH=str(Path(__file__).parents[2])),
        timeout=60,
        check=False,
    )
    assert done.stdout.strip() == "alike", done.stderr


def test_options_outlive_a_deployment(registered: Path) -> None:
    """A deployment opens models with every option, also when it comes out of a pickle."""
    options = chosen(registered)
    del options["registry"], options["threads"], options["revision"]
    pool = ModelPool(threads=1)
    with (
        Registry(registered / "registry", create=False) as registry,
        Deployment("support", registry=registry, poll=None, pool=pool, **options) as served,
    ):
        with served.use() as model:
            wanted = state(model)
        assert {name: wanted[f"asked {name}"] for name in options if name != "house"} == {
            name: value for name, value in options.items() if name != "house"
        }
        with pickle.loads(pickle.dumps(served)) as again, again.use() as model:
            found = state(model)
        # The pool decides threads, and another process has its own registry object.
        own = {"threads", "asked threads", "asked registry"}
        assert {k: v for k, v in found.items() if k not in own} == {
            k: v for k, v in wanted.items() if k not in own
        }


def test_odd_values_are_refused_by_name(tmp_path: Path) -> None:
    """What is no whole number, no device and no policy is no reason for a traceback."""
    folder = build_tiny(tmp_path / "m")
    odd: dict[str, list[Any]] = {
        "device": [3, ["cpu"], b"cpu"],
        "threads": [1.5, "2", True],
        "max_seq_length": [2.5, "8", 1e308],
        "truncate_dim": ["8", 8.0, -1, 0, 33],
        "on_nonfinite": ["raise", None, []],
    }
    for name, values in odd.items():
        for value in values:
            with pytest.raises(UsageError, match=name):
                hotbed.load(folder, **{name: value})
    with hotbed.load(folder, device=None) as model:
        assert model.device == "cpu"


class Device:
    """As ``torch.device``."""

    def __init__(self, kind: str, index: int | None = None) -> None:
        self.type, self.index = kind, index


def test_odd_arguments_of_encode_are_refused_by_name(tmp_path: Path) -> None:
    """Each argument of the wrong kind is named; devices are compared, not refused by their type."""
    with hotbed.load(build_tiny(tmp_path / "m")) as model:
        wanted = model.encode("a cat")
        for device in ("cpu", Device("cpu"), Device("cpu", 0)):
            assert np.array_equal(model.encode("a cat", device=device), wanted)
        odd: dict[str, list[Any]] = {
            "device": ["cuda", Device("cuda", 0), ["cpu"], 0],
            "truncate_dim": ["8", 8.5, True, 0, -1, 33, 10**30, float("nan"), [8]],
            "batch_size": ["8", 8.5, True, 0, -1],
            "prompt": [5, b"a", ["a"]],
            "prompt_name": ["typo", 5, ["query"], ()],
            "precision": ["int7", [], 8],
            "output_value": ["tokens", [], 5],
            "outputs": ["dense", 5, (), [["dense"]], {"dense"}],
        }
        for name, values in odd.items():
            for value in values:
                with pytest.raises(UsageError, match=name):
                    model.encode(["a cat"], **{name: value})
        kept: Any = np.int64(8)
        assert np.array_equal(model.encode("a cat", truncate_dim=kept), wanted[:8])
        for name in ("typo", "quer"):
            with pytest.raises(UsageError, match=f"prompt_name='{name}'"):
                model.encode("a cat", prompt="the ", prompt_name=name)
        both = model.encode("a cat", prompt="the ", prompt_name="query")
        assert np.array_equal(both, model.encode("the a cat"))
        with pytest.raises(UsageError, match="columns' names"):
            model.embed_documents(type("Frame", (), {"columns": ("text",), "__iter__": None})())
