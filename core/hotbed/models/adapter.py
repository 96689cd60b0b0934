"""A LoRA adapter beside the weights of its base, added to them as they are read.

sentence-transformers and transformers apply ``adapter_config.json`` and
``adapter_model.safetensors`` that lie beside a model's own weights. The sum W + s·B·A is the same
model (Hu et al. 2021, arXiv:2106.09685), with s = alpha / r, or alpha / √r (rsLoRA,
arXiv:2312.03732). What is more than that sum is refused by name. tests/oracle/test_adapters.py
compares with peft.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from attrs import define, field, frozen
from numpy.typing import NDArray

from hotbed.errors import CorruptFileError, MissingFileError, UnsupportedModelError
from hotbed.models.jsonfile import read_object

__all__ = ["ADAPTER_CONFIG", "ADAPTER_WEIGHTS", "Adapter", "open_adapter", "refuse_alone"]

ADAPTER_CONFIG = "adapter_config.json"
ADAPTER_WEIGHTS = "adapter_model.safetensors"
_ADAPTER_PICKLE = "adapter_model.bin"

Floats = NDArray[np.float32]

_PREFIX = "base_model.model."
"""What peft puts before the names of a model's modules."""

_ENDS = {
    ".lora_A.weight": ("a", False),
    ".lora_B.weight": ("b", False),
    ".lora_embedding_A": ("a", True),
    ".lora_embedding_B": ("b", True),
}
"""Ending of a tensor's name → which factor it is, and whether of a table."""

_READ = frozenset(
    "alpha_pattern fan_in_fan_out lora_alpha peft_type r rank_pattern target_modules "
    "use_rslora".split()
)
_NEUTRAL = frozenset(
    "auto_mapping base_model_name_or_path eva_config exclude_modules inference_mode layers_pattern "
    "layers_to_transform lora_dropout megatron_core peft_version qalora_group_size revision "
    "runtime_config task_type".split()
)
"""Keys of ``adapter_config.json`` that say nothing which the tensors do not say. Every other key
has to be absent or empty: peft adds keys for new arithmetic, and none of it is guessed at."""

_PLAIN_STARTS = (None, True, False, "gaussian", "eva", "orthogonal")
"""``init_lora_weights`` that leave the base as it is; PiSSA's, OLoRA's and others change it."""

_LONGEST_PATTERN = 300
_REPEATED = re.compile(r"[+*}]\s*\)\s*[+*{]")
"""A repetition in a repetition, which can take for ever to match."""


@define(eq=False)
class _Pair:
    """The two factors of one module's sum."""

    module: str
    table: bool
    a: str = ""
    b: str = ""


@frozen(kw_only=True, eq=False)
class Adapter:
    """What an adapter adds to the tensors of its base.

    Attributes:
        path: The adapter's weights.
        sums: The base's tensor → its two factors and their scale.
    """

    path: Path
    sums: Mapping[str, tuple[_Pair, float]]
    _transposed: bool
    _read: Callable[[str], Floats] = field(repr=False)

    def add(self, name: str, tensor: Floats, rows: slice | None = None) -> Floats:
        """Give a tensor of the base, or some of its rows, with what the adapter adds.

        Raises:
            CorruptFileError: The factors' shapes do not fit, or hold NaN or infinity.
        """
        if name not in self.sums:
            return tensor
        pair, scale = self.sums[name]
        a, b = self._read(pair.a), self._read(pair.b)
        # A table is (rows, width) = (b @ a)ᵀ; so is a layer that keeps inputs first.
        flipped = pair.table or self._transposed
        left, right = (a.T, b.T) if flipped else (b, a)
        part = left[rows] if rows is not None else left
        if (*part.shape[:1], *right.shape[1:]) != tensor.shape or left.shape[1] != right.shape[0]:
            raise CorruptFileError(
                f"{self.path}: {pair.module!r} has the factors {b.shape} and {a.shape}, which do "
                f"not fit the base's {name!r} of shape {tensor.shape}; is it of another base?"
            )
        total: Floats = tensor + (part @ right) * np.float32(scale)
        return total


def open_adapter(folder: Path, names: Iterable[str]) -> Adapter | None:
    """Open the adapter beside some weights; None where there is none.

    Args:
        folder: The folder of the weights.
        names: The base's tensors.

    Raises:
        MissingFileError, CorruptFileError: Its files cannot be used.
        UnsupportedModelError: It is more than plain LoRA; the message names what.
    """
    config_path = folder / ADAPTER_CONFIG
    if not config_path.exists():
        return None
    config = read_object(config_path)
    _refuse_more_than_sums(config_path, config)
    path = folder / ADAPTER_WEIGHTS
    if not path.exists():
        beside = (
            f"{_ADAPTER_PICKLE} is a pickle and is not opened; "
            * (folder / _ADAPTER_PICKLE).exists()
        )
        raise MissingFileError(
            f"{config_path} names an adapter, and {ADAPTER_WEIGHTS} is missing; {beside}save it "
            f"again with peft, or remove {ADAPTER_CONFIG} to use the base alone"
        )
    # weights.py reads through this module.
    from hotbed.models.weights import Weights

    held = Weights.of_file(path)
    pairs = _pairs(path, held.names)
    sums = {}
    known = frozenset(names)
    for pair in pairs:
        if _is_unused(pair.module, known):
            continue
        rank = _rank(path, held.shape(pair.a), held.shape(pair.b), pair)
        scale = _scale(config_path, config, pair.module, rank)
        sums[_target(path, pair, known, config)] = (pair, scale)
    return Adapter(
        path=path,
        sums=sums,
        transposed=config.get("fan_in_fan_out") is True,
        read=lambda name: held.float32(name, held.shape(name) or ()),
    )


def refuse_alone(folder: Path, *, weights: bool) -> None:
    """Refuse a folder with an adapter and without its base.

    Args:
        folder: The transformer's folder.
        weights: Whether it holds weights of the base, and not graphs alone.

    Raises:
        MissingFileError: There is nothing of the base but its name.
        UnsupportedModelError: There are graphs, of which nobody knows whether it is in them.
    """
    path = folder / ADAPTER_CONFIG
    if weights or not path.exists():
        return
    base = read_object(path).get("base_model_name_or_path")
    named = f"{base!r:.200}" if isinstance(base, str) and base else "a model that it does not name"
    if (folder / "config.json").exists():
        raise UnsupportedModelError(
            f"{folder} holds an adapter of {named} beside ONNX files, and nothing says whether it "
            f"is in them; remove {ADAPTER_CONFIG} if it is, or put the base's model.safetensors "
            f"beside it"
        )
    raise MissingFileError(
        f"{folder} holds an adapter alone; its base is {named}. Put the base's config.json and "
        f"model.safetensors beside it, or merge it where PyTorch is: "
        f"`PeftModel.from_pretrained(base, folder).merge_and_unload().save_pretrained(new)`"
    )


def _refuse_more_than_sums(path: Path, config: Mapping[str, Any]) -> None:
    kind = config.get("peft_type")
    if kind != "LORA":
        raise UnsupportedModelError(
            f"{path}: peft_type is {kind!r:.60}; hotbed adds LORA to its base, and nothing else. "
            f"Merge it where PyTorch is, with peft's merge_and_unload()"
        )
    start = config.get("init_lora_weights")
    wrong = [f"init_lora_weights={start!r:.60}"] if start not in _PLAIN_STARTS else []
    bias = config.get("bias")
    wrong += [f"bias={bias!r:.60}"] if bias not in (None, "none") else []
    known = _READ | _NEUTRAL | {"init_lora_weights", "bias"}
    wrong += [f"{key}={config[key]!r:.60}" for key in sorted(set(config) - known) if config[key]]
    if wrong:
        raise UnsupportedModelError(
            f"{path} asks for {', '.join(wrong)}, which is more than the sum W + s·B·A that hotbed "
            f"makes. Merge the adapter where PyTorch is, with peft's merge_and_unload()"
        )


def _pairs(path: Path, names: Iterable[str]) -> list[_Pair]:
    found: dict[str, _Pair] = {}
    for name in sorted(names):
        end = next((end for end in _ENDS if name.endswith(end)), None)
        if end is None:
            raise UnsupportedModelError(
                f"{path} holds {name!r:.200}, which is no factor of a LoRA sum. Merge the adapter "
                f"where PyTorch is, with peft's merge_and_unload()"
            )
        which, table = _ENDS[end]
        module = name.removesuffix(end).removeprefix(_PREFIX)
        pair = found.setdefault(module, _Pair(module=module, table=table))
        setattr(pair, which, name)
    halves = [pair.module for pair in found.values() if not (pair.a and pair.b)]
    if halves or not found:
        what = f"one factor of {halves[0]!r:.200}" if halves else "no factors"
        raise CorruptFileError(f"{path} holds {what}; it may have been cut off: save it again")
    return list(found.values())


def _is_unused(module: str, names: frozenset[str]) -> bool:
    """Whether a module is BERT's pooler, which no embedding passes through, and is not there."""
    pooler = "pooler" in module.split(".")
    return pooler and not any(name.endswith(f"{module}.weight") for name in names)


def _target(path: Path, pair: _Pair, names: frozenset[str], config: Mapping[str, Any]) -> str:
    """The base's tensor that a pair belongs to."""
    if not _is_target(path, pair.module, config.get("target_modules")):
        raise UnsupportedModelError(
            f"{path} holds factors of {pair.module!r:.200}, which target_modules does not name: "
            f"peft would leave them out without a word"
        )
    wanted = f"{pair.module}.weight"
    fitting = [name for name in names if name == wanted or name.endswith(f".{wanted}")]
    if len(fitting) != 1:
        found = "none of its base's tensors" if not fitting else f"{len(fitting)} tensors"
        raise UnsupportedModelError(
            f"{path}: {pair.module!r:.200} names {found}: the base spells or packs its tensors "
            f"otherwise. Merge the adapter where PyTorch is, with peft's merge_and_unload()"
        )
    return fitting[0]


def _is_target(path: Path, module: str, targets: Any) -> bool:
    if targets is None or targets == "all-linear":
        return True
    if isinstance(targets, str):
        return re.fullmatch(_pattern(path, targets), module) is not None
    if not isinstance(targets, list) or not all(isinstance(one, str) for one in targets):
        raise CorruptFileError(f"{path.with_name(ADAPTER_CONFIG)}: target_modules is no list")
    return any(module == one or module.endswith(f".{one}") for one in targets)


def _rank(path: Path, a: tuple[int, ...] | None, b: tuple[int, ...] | None, pair: _Pair) -> int:
    if a is None or b is None or len(a) != 2 or len(b) != 2 or a[0] != b[1] or not a[0]:
        raise CorruptFileError(
            f"{path}: the factors of {pair.module!r:.200} have the shapes {b} and {a}"
        )
    return a[0]


def _scale(path: Path, config: Mapping[str, Any], module: str, rank: int) -> float:
    named = _of_pattern(path, config, "rank_pattern", module, config.get("r", 8))
    alpha = _of_pattern(path, config, "alpha_pattern", module, config.get("lora_alpha", 8))
    if named != rank:
        raise CorruptFileError(
            f"{path} says rank {named} for {module!r:.200}, and its factors have {rank}"
        )
    return alpha / (math.sqrt(rank) if config.get("use_rslora") is True else rank)


def _of_pattern(path: Path, config: Mapping[str, Any], key: str, module: str, usual: Any) -> float:
    """As peft reads its patterns: the first that ends the module's name counts."""
    patterns = config.get(key) or {}
    if not isinstance(patterns, dict):
        raise CorruptFileError(f"{path}: {key} is no object")
    value = next(
        (v for p, v in patterns.items() if re.match(rf"(.*\.)?({_pattern(path, p)})$", module)),
        usual,
    )
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise CorruptFileError(f"{path}: {key} or its default is {value!r:.60}, not a number")
    return value


def _pattern(path: Path, pattern: str) -> str:
    try:
        if len(pattern) > _LONGEST_PATTERN or _REPEATED.search(pattern):
            raise re.error("too long, or a repetition in a repetition")
        re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        where = path.with_name(ADAPTER_CONFIG)
        raise CorruptFileError(f"{where}: the pattern {pattern!r:.100}: {error}") from error
    return pattern
