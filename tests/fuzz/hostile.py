"""Values that nobody expects, and how to write them into JSON as they are."""

from __future__ import annotations

import json
from random import Random
from typing import Any

from attrs import frozen

__all__ = ["Pairs", "Raw", "dump", "hostile"]


@frozen
class Raw:
    """Text that stands in the JSON as it is."""

    text: str


class Pairs(list[tuple[str, Any]]):
    """An object whose keys may be the same."""


_DEEP = 100_000

_RAW = (
    "NaN",
    "Infinity",
    "-Infinity",
    "1e999",
    "-0",
    "-0.0",
    "1" * 5000,
    '"\\ud800"',
    '"\\u0000"',
    "[" * _DEEP + "]" * _DEEP,
    '{"a":' * _DEEP + "1" + "}" * _DEEP,
    "[" * 900 + "]" * 900,
)
_NUMBERS = (
    *(0, -1, 1, 2, 3, 5, 7, 16, 40, 255, 256, 512, 20_000, 10**6, 10**9, -(10**9), 10**400),
    *(2**31 - 1, 2**31, 2**32, 2**53 + 1, 2**63 - 1, 2**63, 2**64, -(2**63), -(2**64)),
    *(0.0, 0.5, -0.5, 1.5, 1e-45, 1e-12, 1e38, 1e300, 1e308, -1e308, 12.0),
)
_TEXTS = (
    *("", " ", "x", "0", "12", "1e5", "true", "null", "None", "NaN", "\x00", "\x1b[31mred\x1b[0m"),
    *("[bold]x[/bold]", "[/b]", "%s%n", "{0}", "\u202eabc", "\ufeff", "數", "a\nb", "a" * 100_000),
    *("../../etc/passwd", "/etc/passwd", "..", ".", "/", "~/.ssh/id_rsa", "C:\\x", "a/../b", "//x"),
    *("http://127.0.0.1:9/x", "file:///etc/passwd", "postgresql://127.0.0.1:9/x", "__class__"),
)
_WORDS = (  # that mean something somewhere
    *("left", "right", "both", "mean", "max", "cls", "lasttoken", "weightedmean", "gelu", "relu"),
    *("gelu_new", "silu", "tanh", "absolute", "relative_key", "rope", "linear", "dynamic", "yarn"),
    *("float16", "bfloat16", "float32", "int8", "uint8", "q4", "cosine", "dot", "euclidean"),
    *(
        "bert",
        "roberta",
        "qwen3",
        "model2vec",
        "static",
        "t5",
        "clip",
        "SparseEncoder",
        "only_first",
    ),
    *("torch.nn.modules.activation.Tanh", "torch.nn.modules.linear.Identity", "torch.load"),
    *("sentence_transformers.models.Normalize", "sentence_transformers.models.Dense", "os.system"),
    *(
        "BPE",
        "Unigram",
        "WordPiece",
        "WordLevel",
        "Split",
        "Regex",
        "(a+)+$",
        "Replace",
        "Sequence",
    ),
    *("full_attention", "sliding_attention", "onnx", "safetensors", "portable", "cpu", "cuda"),
)


def hostile(rng: Random, value: Any = None) -> Any:
    """A value to put in the place of one, or a small change of it."""
    if value is not None and rng.random() < 0.35:
        return _near(rng, value)
    kinds = (_NUMBERS, _TEXTS, _WORDS, [Raw(text) for text in _RAW], _SHAPES)
    return rng.choice(rng.choices(kinds, (4, 3, 2, 2, 2))[0])


_SHAPES: tuple[Any, ...] = (
    *(None, True, False, [], {}, [None], [[]], [{}], {"": None}, {"a": {}}, [0], [1, "x"], ["x"]),
    *([1] * 1000, {str(i): i for i in range(1000)}, {"type": "x"}, [[1, 2], [3]], [-1, 10**9]),
)


def _near(rng: Random, value: Any) -> Any:
    if isinstance(value, bool):
        return rng.choice((not value, int(value), str(value), str(value).lower()))
    if isinstance(value, int | float):
        changes = (value + 1, value - 1, value * 2, -value, value / 2, float(value), str(value))
        return rng.choice((*changes, [value], value + 0.5))
    if isinstance(value, str):
        changed = (value[:-1], value.upper(), value + "x", value + "\x00", f" {value}", [value])
        return rng.choice(changed)
    if isinstance(value, list):
        return rng.choice((value[::-1], value[:-1], value * 2, value[1:], [*value, None], [value]))
    return rng.choice(([value], {**value, "fuzz": None}, list(value), {}, str(value)))


def dump(rng: Random, value: Any) -> str:
    """Write a value as JSON, with ``Raw`` and ``Pairs`` in it, in one of several layouts."""
    layout = rng.choice((None, None, 2, "\t"))
    separators = (", ", ": ") if layout is None else (",", ": ")
    raws: list[str] = []

    def plain(item: Any) -> Any:
        if isinstance(item, Raw):
            raws.append(item.text)
            return f"@raw{len(raws) - 1}@"
        if isinstance(item, Pairs):
            raws.append("{" + ",".join(f"{json.dumps(k)}:{json.dumps(v)}" for k, v in item) + "}")
            return f"@raw{len(raws) - 1}@"
        if isinstance(item, dict):
            return {key: plain(one) for key, one in item.items()}
        return [plain(one) for one in item] if isinstance(item, list) else item

    text = json.dumps(
        plain(value), indent=layout, separators=separators, ensure_ascii=rng.random() < 0.5
    )
    for number, raw in enumerate(raws):
        text = text.replace(f'"@raw{number}@"', raw)
    return text
