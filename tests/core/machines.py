"""Random machines for selection: what is installed, what is asked, and what works there."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from hypothesis import strategies as st

from hotbed.backends import Capability, Probe, ProbeRequest, Variant
from hotbed.backends.catalog import Found
from hotbed.backends.contest import Ask
from hotbed.backends.decision import Decision, Measurement, Model, Request, Rules
from tests.core.backends import backend

__all__ = [
    "CAPABILITIES",
    "DEVICES",
    "DISTS",
    "DTYPES",
    "MEASUREMENTS",
    "NAMES",
    "REQUESTS",
    "VARIANTS",
    "Refused",
    "backends",
    "machines",
    "measurements",
    "models",
    "outcome",
    "probing",
    "refusals",
    "requests",
    "rules",
]

T = TypeVar("T")
DEVICES = ("cpu", "cuda", "npu")
DTYPES = ("float32", "float16", "int8")
NAMES = ("a", "b", "c", "d", "onnx_cpu")
DISTS = ("hotbed", "acme", "zeta")
SHAPES = ("this shape", "another")

Refused = frozenset[tuple[str, str, str]]
"""(backend, action, device) that do not work on a machine."""


def often(usual: Sequence[Any], others: Sequence[Any]) -> tuple[Any, ...]:
    """Mostly one of the usual values, so that most machines have something to choose from."""
    usual = tuple(usual)
    return (*usual * (1 + 8 * len(others) // len(usual)), *others)


class Combinations(Sequence[T]):
    """Every combination of the fields' values, made when it is looked at."""

    def __init__(self, kind: Callable[..., T], **fields: Sequence[Any]) -> None:
        self._kind = kind
        self._fields = fields

    def __len__(self) -> int:
        return math.prod(map(len, self._fields.values()))

    def __getitem__(self, number: Any) -> Any:
        # Small numbers come often; multiplied by a prime they lie all over the range.
        number = number * 1_000_003 % len(self)
        chosen = {}
        for name, values in self._fields.items():
            number, place = divmod(number, len(values))
            chosen[name] = values[place]
        return self._kind(**chosen)


def built(kind: Callable[..., T], **fields: Sequence[Any]) -> st.SearchStrategy[T]:
    """Any combination. One draw, because many small ones are slow."""
    return drawn(Combinations(kind, **fields))


def drawn(combinations: Combinations[T]) -> st.SearchStrategy[T]:
    """Any of the combinations."""
    return st.integers(0, len(combinations) - 1).map(combinations.__getitem__)


def _capabilities(action: str, *formats: tuple[str, ...]) -> Combinations[Capability]:
    return Combinations(
        Capability,
        action=[action],
        task=often(["embedding"], ["rerank"]),
        formats=often(formats, [("gguf",), ("safetensors", "gguf"), ()]),
        devices=often([("cpu",), ("cuda", "cpu"), ("cpu", "npu")], [("npu",), ()]),
        dtypes=often(
            [("float32",), ("float32", "float16"), ("float16", "float32", "int8")],
            [("float16",), ("int8",), ()],
        ),
        storages=often([()], [("float32",), ("float16", "int8")]),
        families=often([(), ("bert",)], [("mpnet",), ("mpnet", "bert")]),
        features=often([(), ("sparse",)], [("colbert",), ("sparse", "colbert")]),
        profiles=often([("portable",), ("cpu", "portable")], [("cpu",), ()]),
        priority=(0, 0, 1, -1),
        to=often(["onnx"], ["gguf"]),
    )


CAPABILITIES = {
    "embed": _capabilities("embed", ("onnx",), ("gguf", "onnx")),
    "convert": _capabilities("convert", ("safetensors",)),
}
"""Action → capabilities of all kinds; most of them can do something with most models."""


def backends(
    names: Sequence[str] = NAMES, actions: Sequence[str] = ("embed", "embed", "convert")
) -> st.SearchStrategy[Found]:
    """Backends, working or not."""
    kinds = st.one_of([drawn(CAPABILITIES[action]) for action in actions])
    about = built(
        lambda **values: values,
        name=names,
        dist=DISTS,
        hook_api=often([1], [2]),
        flaw=often([""], ["error", "blocked", "conflict"]),
    )
    return st.builds(_backend, about, st.lists(kinds, min_size=1, max_size=3))


def _backend(about: dict[str, Any], capabilities: list[Capability]) -> Found:
    options = {key: value for key, value in about.items() if key not in ("name", "flaw")}
    if about["flaw"]:
        options[about["flaw"]] = "so it is"
    return backend(about["name"], *capabilities, **options)


def _one_usable(found: list[Found]) -> bool:
    """Of a name, the catalog lets one be used, and refuses the rivals."""
    usable = [one.name for one in found if one.usable]
    return len(set(usable)) == len(usable)


def machines(least: int = 3, most: int = 5, **options: Any) -> st.SearchStrategy[list[Found]]:
    """What is installed. A name may be there twice; no two of the same are usable."""
    distinct = st.lists(
        backends(**options),
        min_size=least,
        max_size=most,
        unique_by=lambda found: (found.name, found.dist),
    )
    return distinct.filter(_one_usable)


SAFE = Variant(format="safetensors", file="model.safetensors", storage="float32")
HALF = Variant(format="safetensors", file="model.safetensors", storage="float16")
ONNX = Variant(format="onnx", file="model.onnx", storage="float32", profile="portable")
VARIANTS = Combinations(
    Variant,
    format=("onnx", "safetensors", "gguf"),
    file=("model.onnx", "model.safetensors", "model.gguf"),
    storage=(*DTYPES, "unknown"),
    profile=("", "portable", "cpu"),
)
files = st.one_of(
    st.sampled_from([(SAFE,), (ONNX,), (SAFE, ONNX), (HALF, ONNX), (HALF,)]),
    st.lists(drawn(VARIANTS), max_size=3, unique_by=lambda variant: variant.file).map(tuple),
)
models = st.builds(
    Model,
    name=st.just("m"),
    family=st.sampled_from(often(["bert"], ["mpnet"])),
    variants=files,
    shape=st.just(SHAPES[0]),
)
REQUESTS = Combinations(
    Request,
    device=often(["auto", "cpu"], ["cuda", "cuda:1", "tpu"]),
    dtype=often([None, "float32"], ["fp16", "int8"]),
    backend=often([None], NAMES[1:3]),
    action=often(["embed"], ["convert"]),
    features=often([()], [("sparse",), ("colbert", "sparse")]),
)
requests = drawn(REQUESTS)
MEASUREMENTS = Combinations(
    Measurement,
    shape=often(SHAPES[:1], SHAPES[1:]),
    backend=NAMES,
    dist=DISTS,
    version=often(["1.0"], ["0.9"]),
    device=often(["cpu"], ["cuda"]),
    dtype=often(["float32"], ["float16"]),
    token_budget=[512],
    bulk=[1.0],
    query=[1.0],
    score=[0.0, 1.0, 2.0],  # few, so that some are equal
)
measurements = drawn(MEASUREMENTS)
rules = st.builds(
    Rules,
    priority=st.sampled_from([(), (), (), ("a",), ("c", "a"), ("onnx_cpu", "d", "b")]),
    devices=st.sampled_from([("cuda", "cpu"), ("cpu", "cuda"), ("npu",), ()]),
    measured=st.lists(
        measurements,
        max_size=10,
        unique_by=lambda m: (m.shape, m.backend, m.dist, m.version, m.device, m.dtype),
    ).map(tuple),
)
refusals: st.SearchStrategy[Refused] = st.frozensets(
    built(
        lambda **who: tuple(who.values()),
        name=NAMES,
        action=["embed", "convert"],
        device=DEVICES,
    ),
    min_size=1,
    max_size=12,
)


def probing(refused: Refused) -> Ask:
    """A machine on which some (backend, action, device) do not work."""

    def probe(found: Found, request: ProbeRequest) -> Probe:
        device = request.device.partition(":")[0]
        if (found.name, request.action, device) not in refused:
            return Probe(ok=True, reason=f"{found.name} is here")
        return Probe(ok=False, reason=f"{found.name} is not here", fix="install it")

    return probe


def outcome(decision: Decision) -> tuple[object, ...]:
    """What was decided, without the other verdicts."""
    chosen = decision.chosen
    return () if chosen is None else (chosen.backend, chosen.dist, chosen.route, chosen.reason)
