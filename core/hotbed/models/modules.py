"""The modules of a sentence-transformers folder: what comes after what.

Reads what every version from 0.4 to 6.2 saved. A module's ``type`` is mapped by its last dotted
part, because the packages moved twice; a type from any other package is code of somebody's own,
and is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path, PureWindowsPath
from typing import Any

from attrs import frozen

from hotbed.backends.values import POOLING_MODES, Pooling
from hotbed.errors import CorruptFileError, UnsupportedModelError
from hotbed.models.jsonfile import is_there, read_object, read_value
from hotbed.models.layout import CONFIG, MODULES
from hotbed.models.schema import shown
from hotbed.models.static import is_model2vec

__all__ = [
    "ACTIVATIONS",
    "Dense",
    "Head",
    "LayerNorm",
    "Module",
    "Normalize",
    "Pipeline",
    "read_modules",
    "read_pipeline",
]

ACTIVATIONS = {
    "torch.nn.modules.linear.Identity": "identity",
    "torch.nn.modules.activation.Tanh": "tanh",
    "torch.nn.modules.activation.GELU": "gelu",
    "torch.nn.modules.activation.ReLU": "relu",
    "torch.nn.modules.activation.SiLU": "silu",
    "torch.nn.modules.activation.Sigmoid": "sigmoid",
}
"""Activation classes of Dense modules. sentence-transformers builds them without arguments, so
GELU is the exact one."""

_REFUSED = {
    "WeightedLayerPooling": "it needs the hidden states of every layer",
    "WordWeights": "it weighs tokens by a vocabulary of its own",
    "WordEmbeddings": "it replaces the transformer",
    "BoW": "it replaces the transformer",
    "LSTM": "it is a recurrent network",
    "CNN": "it is a convolutional network",
    "CLIPModel": "it embeds images",
    "Router": "it sends queries and documents through different modules",
    "Asym": "it sends queries and documents through different modules",
    "SpladePooling": "its output is sparse",
    "MLMTransformer": "its output is sparse",
    "SparseStaticEmbedding": "its output is sparse",
    "SparseAutoEncoder": "its output is sparse",
    "MultiVectorMask": "its output is one vector a token",
}

_STATIC = "StaticEmbedding"
_BODIES = {"Transformer": ["Transformer", "Pooling"], _STATIC: [_STATIC]}
"""Modules that embed tokens → the modules up to the first vector of a text."""

_MEAN = Pooling(modes=("mean",))

_PACKAGES = ("sentence_transformers.",)
_WHERE = "sentence_embedding"


@frozen(kw_only=True)
class Dense:
    """act(x·Wᵀ + b), plus x or x·Rᵀ where ``residual``. Weights lie in ``path``."""

    path: str
    in_features: int
    out_features: int
    bias: bool
    activation: str
    residual: bool = False


@frozen(kw_only=True)
class LayerNorm:
    """Layer normalisation with eps 1e-5 and the biased variance. Weights lie in ``path``."""

    path: str
    dimension: int


@frozen(kw_only=True)
class Normalize:
    """x / max(‖x‖₂, 1e-12)."""


Head = Dense | LayerNorm | Normalize


@frozen(kw_only=True)
class Pipeline:
    """The modules: one that embeds tokens, pooling, and heads.

    Attributes:
        transformer: Folder of the module that embeds tokens, a transformer in nearly all,
            relative to the model folder; ``""`` is the root.
        pooling: How tokens become one vector.
        heads: What is applied to that vector, in order.
        declared_dimension: The width that the pooling's configuration states, if any.
        names: Every module's class, for listings; Dropout is among them and does nothing.
        module_paths: Folders of the modules after the first, whether they exist or not.
    """

    transformer: str
    pooling: Pooling
    heads: tuple[Head, ...]
    declared_dimension: int | None
    names: tuple[str, ...]
    module_paths: tuple[str, ...] = ()

    @property
    def is_static(self) -> bool:
        """Whether tokens are embedded by a table, and not by a transformer."""
        return self.names[0] == _STATIC

    @property
    def head_paths(self) -> tuple[str, ...]:
        """Folders of the heads that have weights."""
        return tuple(head.path for head in self.heads if not isinstance(head, Normalize))

    def dimension(self, hidden: int) -> int:
        """Width of the sentence embedding of a transformer with ``hidden`` units."""
        width = hidden * len(self.pooling.modes)
        for head in self.heads:
            if isinstance(head, Dense):
                width = head.out_features
        return width


@frozen
class Module:
    """An entry of ``modules.json``: the class, and the folder of its files."""

    kind: str
    path: str


def read_modules(folder: Path) -> list[Module]:
    """The entries of ``modules.json``, in order; none where there is no such file.

    Raises:
        UnsupportedModelError: A module cannot be run here; the message names it and says why.
        CorruptFileError: The file is not what sentence-transformers writes.
    """
    if not is_there(folder / MODULES):
        return []
    return [Module(_kind(entry), entry["path"]) for entry in _entries(folder / MODULES)]


def read_pipeline(folder: Path, config: dict[str, Any]) -> Pipeline:
    """Read ``modules.json`` and the configurations it names; defaults where there is none.

    Raises:
        UnsupportedModelError: A module cannot be run here; the message names it and says why.
        CorruptFileError: The file is not what sentence-transformers writes.
    """
    modules = read_modules(folder)
    if not modules:
        return _default_pipeline(config)
    pooling, declared = _read_pooling(folder, modules)
    after = len(_BODIES[modules[0].kind])
    heads = (head for item in modules[after:] for head in _HEADS[item.kind](folder, item.path))
    return Pipeline(
        transformer=modules[0].path,
        pooling=pooling,
        heads=tuple(heads),
        declared_dimension=declared,
        names=tuple(item.kind for item in modules),
        module_paths=tuple(item.path for item in modules[1:]),
    )


def _read_pooling(folder: Path, modules: list[Module]) -> tuple[Pooling, int | None]:
    """The pooling, and the width that its configuration states; the modules' order is checked."""
    path, kinds = folder / MODULES, [module.kind for module in modules]
    if kinds[0] not in _BODIES:
        raise UnsupportedModelError(
            f"{path}: the first module is {kinds[0]}, and hotbed runs folders that start with a "
            f"{' or a '.join(_BODIES)}"
        )
    body = _BODIES[kinds[0]]
    if kinds[: len(body)] != body or not _HEADS.keys() >= set(kinds[len(body) :]):
        pools = "with one Pooling right after it" if "Pooling" in body else "without a Pooling"
        raise UnsupportedModelError(
            f"{path}: the modules are {', '.join(kinds)}; hotbed runs a {kinds[0]} {pools}, then "
            f"any of {', '.join(_HEADS)}"
        )
    if "Pooling" not in body:
        return _MEAN, None
    where = folder / modules[1].path / CONFIG
    config = read_object(where)
    declared = config.get("embedding_dimension")
    declared = config.get("word_embedding_dimension") if declared is None else declared
    return _pooling(config, where), declared


def _default_pipeline(config: dict[str, Any]) -> Pipeline:
    """A bare transformer: mean pooling, or the last token of a causal language model.

    Or a table of model2vec's, which wrote no ``modules.json`` at first.
    """
    if is_model2vec(config):
        unit_length = bool(config.get("normalize"))
        return Pipeline(
            transformer="",
            pooling=_MEAN,
            heads=(Normalize(),) if unit_length else (),
            declared_dimension=None,
            names=(_STATIC, "Normalize") if unit_length else (_STATIC,),
        )
    architectures = config.get("architectures") or [""]
    causal = str(architectures[0]).endswith("ForCausalLM") and config.get("is_causal", True)
    return Pipeline(
        transformer="",
        pooling=Pooling(modes=("lasttoken",) if causal else ("mean",)),
        heads=(),
        declared_dimension=None,
        names=("Transformer", "Pooling"),
    )


def _entries(path: Path) -> list[dict[str, Any]]:
    value = read_value(path)
    if not isinstance(value, list) or not value:
        raise CorruptFileError(f"{path} holds no list of modules")
    for entry in value:
        if not isinstance(entry, dict) or not all(
            isinstance(entry.get(key), str) for key in ("type", "path")
        ):
            raise CorruptFileError(
                f"{path}: an entry has no `type` or no `path` that is text: {shown(entry)}"
            )
        place = PureWindowsPath(entry["path"])  # splits at slashes of both kinds
        if place.anchor or ".." in place.parts:
            raise UnsupportedModelError(
                f"{path}: the module path {shown(entry['path'])} leads out of the model folder"
            )
        if any(part.startswith(".") for part in place.parts):
            raise UnsupportedModelError(
                f"{path}: the module path {entry['path']!r} is hidden; hotbed reads nothing there"
            )
        entry["path"] = "/".join(place.parts)  # model2vec writes "." for the root
    return value  # in the file's order, as sentence-transformers runs them; idx is not read


def _kind(entry: dict[str, Any]) -> str:
    full = entry["type"]
    name = full.rpartition(".")[2]
    if not full.startswith(_PACKAGES):
        raise UnsupportedModelError(
            f"the module {shown(full)} is not one of sentence-transformers' own; running it would "
            f"mean running code from the model folder, which hotbed never does"
        )
    if name in _REFUSED:
        raise UnsupportedModelError(f"the module {name} cannot be run: {_REFUSED[name]}")
    if name not in (*_BODIES, "Pooling", *_HEADS):
        known = ", ".join([*_BODIES, "Pooling", *_HEADS])
        raise UnsupportedModelError(
            f"the module {shown(name)[1:-1]} is not known; hotbed runs {known}"
        )
    if entry.get("kwargs"):
        raise UnsupportedModelError(
            f"the module {name} takes encode() arguments of its own ({shown(entry['kwargs'])})"
        )
    return name


# Old saves hold booleans; their results are joined in this order, not in the file's.
_OLD_BOOLEANS = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}
_POOLING_KEYS = {
    *_OLD_BOOLEANS,
    "pooling_mode",
    "include_prompt",
    "embedding_dimension",
    "word_embedding_dimension",
}


def _pooling(config: dict[str, Any], path: Path) -> Pooling:
    if unknown := sorted(set(config) - _POOLING_KEYS):
        raise UnsupportedModelError(
            f"{path}: {shown(', '.join(unknown))[1:-1]} is not known; a newer "
            f"sentence-transformers may have written it, and leaving it out could change the "
            f"vectors"
        )
    mode = config.get("pooling_mode")
    if mode is not None:
        modes = (mode,) if isinstance(mode, str) else tuple(mode)
    else:
        modes = tuple(name for key, name in _OLD_BOOLEANS.items() if config.get(key, False))
        modes = modes or ("mean",)
    if not modes:
        raise CorruptFileError(f"{path}: pooling_mode names no mode")
    if unknown := [name for name in modes if name not in POOLING_MODES]:
        raise UnsupportedModelError(
            f"{path}: pooling mode {', '.join(map(shown, unknown))} is not one of "
            f"{', '.join(POOLING_MODES)}"
        )
    return Pooling(modes=modes, include_prompt=bool(config.get("include_prompt", True)))


def _module_config(folder: Path, path: str, keys: set[str]) -> dict[str, Any]:
    config = read_object(folder / path / CONFIG, required=False)
    for key in ("module_input_name", "module_output_name"):
        if config.get(key) not in (None, _WHERE):
            raise UnsupportedModelError(
                f"{folder / path / CONFIG}: {key} is {shown(config[key])}; hotbed runs "
                f"modules that read and write {_WHERE!r}"
            )
    missing = sorted(keys - set(config))
    if missing:
        raise CorruptFileError(f"{folder / path / CONFIG} lacks {', '.join(missing)}")
    return config


def _dense(folder: Path, path: str) -> tuple[Head, ...]:
    config = _module_config(folder, path, {"in_features", "out_features"})
    # A Dense without the key was saved when Tanh was the only choice.
    activation = config.get("activation_function", "torch.nn.modules.activation.Tanh")
    if activation not in ACTIVATIONS:
        raise UnsupportedModelError(
            f"{folder / path / CONFIG}: the activation {shown(activation)} is not known; "
            f"hotbed runs {', '.join(ACTIVATIONS)}"
        )
    return (
        Dense(
            path=path,
            in_features=int(config["in_features"]),
            out_features=int(config["out_features"]),
            bias=bool(config.get("bias", True)),
            activation=ACTIVATIONS[activation],
            residual=bool(config.get("use_residual", False)),
        ),
    )


def _layer_norm(folder: Path, path: str) -> tuple[Head, ...]:
    config = _module_config(folder, path, {"dimension"})
    return (LayerNorm(path=path, dimension=int(config["dimension"])),)


def _normalize(folder: Path, path: str) -> tuple[Head, ...]:
    # git drops empty folders, so the path of an old Normalize may not exist.
    _module_config(folder, path, set())
    return (Normalize(),)


def _dropout(folder: Path, path: str) -> tuple[Head, ...]:
    return ()


_HEADS: dict[str, Callable[[Path, str], tuple[Head, ...]]] = {
    "Dense": _dense,
    "LayerNorm": _layer_norm,
    "Normalize": _normalize,
    "Dropout": _dropout,
}
