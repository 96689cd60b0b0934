"""A model folder in the sentence-transformers layout, read and checked."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from attrs import evolve, field, frozen

from hotbed.backends.manifest import FileFormat
from hotbed.backends.values import Variant
from hotbed.errors import CorruptFileError, MissingFileError, UnsupportedModelError
from hotbed.models import layout
from hotbed.models.absence import explain_absence
from hotbed.models.adapter import ADAPTER_CONFIG, ADAPTER_WEIGHTS, refuse_alone
from hotbed.models.boundary import reading
from hotbed.models.checking import check_values
from hotbed.models.containment import require_contained
from hotbed.models.encoder import EncoderSettings, TokenRules
from hotbed.models.jsonfile import is_there, read_object
from hotbed.models.keys import ARCHITECTURES
from hotbed.models.modules import Pipeline, read_pipeline
from hotbed.models.onnx_weights import integer_storage
from hotbed.models.proof import prove_sizes
from hotbed.models.schema import shown
from hotbed.models.static import read_static, static_config
from hotbed.models.token_heads import TOKEN_HEADS
from hotbed.models.transformer import count_positions, read_transformer
from hotbed.models.weights import INDEX, Weights, read_index, stored_dtype

__all__ = ["ModelFolder", "list_files", "read_folder"]


_WEIGHT_FILES = (layout.WEIGHTS, INDEX, layout.PICKLE)

# Families whose positions are rows of a table of their own.
_ABSOLUTE = ("bert", "camembert", "distilbert", "mpnet", "roberta", "xlm-roberta")

# What families call depth, width, heads and inner width; the first name present counts.
_SIZES = (
    ("num_hidden_layers", "n_layers", "n_layer"),
    ("hidden_size", "dim", "n_embd"),
    ("num_attention_heads", "n_heads", "n_head"),
    ("intermediate_size", "hidden_dim", "n_inner"),
)


@frozen(kw_only=True)
class ModelFolder:
    """What a folder says about its model.

    Attributes:
        path: Where it lies.
        name: What the user called it.
        files: Every file, present or fetchable, with forward slashes.
        config: ``config.json`` of the transformer; its ``model_type`` is always there.
        pipeline: The modules.
        saved: ``config_sentence_transformers.json``.
        max_seq_length: Tokens kept of a text; None where nothing limits them.
        do_lower_case: Whether texts are lower-cased before the tokenizer's own normaliser.
        tokenizer_config: What the folder tells its tokenizer besides ``tokenizer.json``.
        formats: File formats that installed backends bring.
        rules: How texts become tokens.
    """

    path: Path
    name: str
    files: frozenset[str]
    config: dict[str, Any]
    pipeline: Pipeline
    saved: dict[str, Any]
    max_seq_length: int | None
    do_lower_case: bool
    tokenizer_config: dict[str, Any]
    formats: tuple[FileFormat, ...] = ()
    rules: TokenRules = field(factory=TokenRules)

    @property
    def shape(self) -> str:
        """Architecture and sizes, on which speed depends: ``bert 6×384, 12 heads, 1536 inner``."""
        found = [[self.config[key] for key in names if key in self.config] for names in _SIZES]
        sizes = [values[0] if values else "?" for values in found]
        return "{} {}×{}, {} heads, {} inner".format(self.family or "?", *sizes)

    @property
    def family(self) -> str:
        """``config.model_type``, which decides what builds and runs the model."""
        return str(self.config.get("model_type", ""))

    @property
    def padding_side(self) -> str | None:
        """``right`` or ``left``; None where only ``tokenizer.json`` may say."""
        return self.tokenizer_config.get("padding_side")

    @property
    def max_positions(self) -> int | None:
        """The most tokens of a text that the model can read; None where nothing says.

        Position embeddings are rows of a table. Rotary positions are a table in the graph, which
        is made for as many tokens as the folder allows; some kinds are computed as they come.
        """
        positions = count_positions(self.config)
        if positions is None or self.family in _ABSOLUTE:
            return positions if self.family in _ABSOLUTE else None
        if self.family not in ARCHITECTURES or _is_dynamic(self.config):
            return None
        return max(positions, self.max_seq_length or 0)

    @property
    def table_rows(self) -> int | None:
        """Rows of the table of token embeddings, where ``config.json`` describes weights here."""
        rows = self.config.get("vocab_size")
        described = self.family in ARCHITECTURES and self.weight_files
        return rows if described and isinstance(rows, int) else None

    @property
    def root(self) -> Path:
        """The transformer's own folder, which is the model folder in nearly all of them."""
        return self.path / self.pipeline.transformer

    @property
    def similarity_fn_name(self) -> str | None:
        """The similarity that the model was trained for, if the folder says."""
        return self.saved.get("similarity_fn_name")

    @property
    def truncate_dim(self) -> int | None:
        """How many dimensions the folder says to keep."""
        return self.saved.get("truncate_dim")

    @functools.cached_property  # it reads a header, and selection asks at each call
    def variants(self) -> tuple[Variant, ...]:
        """The runnable files. The first one is the reference: what ``dtype=None`` means."""
        found = [self._seen(one) for one in layout.onnx_variants(self.files, self._prefix)]
        if self.adapter_files:
            found = []  # graphs that were made without it, or of which nobody knows
        if weights := self.weight_files:
            storage = self._stored_dtype(weights)
            found.insert(0, Variant(format="safetensors", file=weights[0], storage=storage))
        there = {variant.format for variant in found}
        formats = [kind for kind in self.formats if kind.instead_of not in there]
        if self.adapter_files:
            formats = [kind for kind in formats if kind.instead_of]
        return (*found, *layout.brought_variants(formats, self.files, self._prefix))

    @property
    def weight_files(self) -> tuple[str, ...]:
        """``model.safetensors``; or the index and every shard; nothing where one is not there."""
        single, index = self._prefix + layout.WEIGHTS, self._prefix + INDEX
        if single in self.files:
            return (single,)
        if index not in self.files or not (self.path / index).exists():
            return ()
        shards = sorted(set(read_index(self.path / index).values()))
        named = (index, *(self._prefix + shard for shard in shards))
        return named if self.files.issuperset(named) else ()

    @property
    def adapter_files(self) -> tuple[str, ...]:
        """An adapter's configuration and weights, which change what the weights are."""
        if self.pipeline.is_static or self._prefix + ADAPTER_CONFIG not in self.files:
            return ()
        names = (ADAPTER_CONFIG, ADAPTER_WEIGHTS)
        return tuple(self._prefix + n for n in names if self._prefix + n in self.files)

    @property
    def head_files(self) -> tuple[str, ...]:
        """The weights of each module after the transformer; a pickle where nothing else is."""
        found = []
        for path in self.pipeline.head_paths:
            names = (f"{path}/{layout.WEIGHTS}", f"{path}/{layout.PICKLE}")
            found += [name for name in names if name in self.files][:1]
        return tuple(found)

    @property
    def tokenizer_files(self) -> tuple[str, ...]:
        """The table of tokens, which nobody changes by hand."""
        return tuple(n for n in (self._prefix + layout.TOKENIZER,) if n in self.files)

    @property
    def token_heads(self) -> dict[str, str]:
        """BGE-M3's further heads: output → the file that it is made with."""
        files = {name: self._prefix + file for name, file in TOKEN_HEADS.items()}
        return {name: file for name, file in files.items() if file in self.files}

    @property
    def _prefix(self) -> str:
        return f"{self.pipeline.transformer}/" if self.pipeline.transformer else ""

    def companions(self, variant: Variant) -> list[str]:
        """Files that a variant cannot do without: shards, heads, a graph's own weights."""
        if variant.file in self.weight_files:
            beside = {*self.weight_files, *self.token_heads.values(), *self.adapter_files}
            return sorted(beside - {variant.file})
        named = {
            variant.file.removesuffix(kind.suffix) + end
            for kind in self.formats
            if kind.name == variant.format
            for end in kind.companions
        }
        data = (f"{variant.file}_data", f"{variant.file}.data")
        return sorted(name for name in self.files if name in named or name.startswith(data))

    def _seen(self, variant: Variant) -> Variant:
        """A graph as its file says, where its name says floats and most weights are integers."""
        if variant.storage not in ("float32", "float16"):
            return variant
        held = integer_storage(self.path / variant.file)
        if held is None:
            return variant
        note = f"named as {variant.storage}; its weights are {held}"
        return evolve(variant, storage=held, note="; ".join(filter(None, (variant.note, note))))

    def _stored_dtype(self, weights: Iterable[str]) -> str:
        paths = [self.path / name for name in weights]
        if all(path.exists() for path in paths):
            return stored_dtype(paths[0])
        # Not fetched yet: what the configuration says.
        return str(self.config.get("dtype") or self.config.get("torch_dtype") or "float32")


def _is_dynamic(config: dict[str, Any]) -> bool:
    """Whether rotary positions are computed for each text."""
    stated = [config.get(key) or {} for key in ("rope_scaling", "rope_parameters")]
    kinds = {item.get("rope_type") or item.get("type") for item in stated}
    return "dynamic" in kinds or bool(config.get("rotary_scaling_factor"))


def list_files(path: Path) -> frozenset[str]:
    """Every file below a folder, relative to it, with forward slashes; hidden ones left out."""
    return frozenset(
        file.relative_to(path).as_posix()
        for file in path.rglob("*")
        if file.is_file() and not any(p.startswith(".") for p in file.relative_to(path).parts)
    )


def read_folder(
    path: Path,
    *,
    name: str | None = None,
    files: Iterable[str] | None = None,
    formats: Iterable[FileFormat] = (),
) -> ModelFolder:
    """Read a folder that sentence-transformers, or hotbed, or save_pretrained() wrote.

    Args:
        path: The folder.
        name: What to call it in messages.
        files: What it holds, where not everything has been fetched yet.
        formats: File formats besides those the core knows, as manifests bring them.

    Raises:
        ModelError: Something is missing, cut off, or cannot be run; the message says what.
    """
    with reading(path):
        if not path.is_dir():
            raise MissingFileError(f"{path} is not a folder")
        require_contained(path)
        folder = evolve(_read(path, name, files), formats=tuple(formats))
        _prove(folder)
        return folder


def _prove(folder: ModelFolder) -> None:
    """Compare the configuration with the weights, where they are of a known kind and here."""
    if folder.family not in ARCHITECTURES or folder.pipeline.is_static:
        return
    files = [folder.path / name for name in folder.weight_files]
    if files and all(file.exists() for file in files):
        weights = Weights.open(folder.root)
        shapes = {name: weights.shape(name) or () for name in sorted(weights.names)}
        prove_sizes(folder.config, files[0], shapes)


def _read(path: Path, name: str | None, files: Iterable[str] | None) -> ModelFolder:
    known = list_files(path) if files is None else frozenset(files)
    if layout.CONFIG not in known and layout.MODULES not in known:
        explain_absence(path, known)
    check_values(path, has_weights=any(file.endswith(_WEIGHT_FILES) for file in known))
    bare = read_object(path / layout.CONFIG, required=False)
    pipeline = read_pipeline(path, bare)
    is_module = is_there(path / layout.MODULES)
    if not pipeline.is_static:
        _refuse_unread(path, pipeline, known)
    config, settings = _read_encoder(path / pipeline.transformer, pipeline, is_module=is_module)
    saved = read_object(path / layout.SENTENCE_CONFIG, required=False)
    kind = saved.get("model_type", "SentenceTransformer")
    if kind != "SentenceTransformer":
        raise UnsupportedModelError(f"{path} is a {kind} model; hotbed runs SentenceTransformer")
    return ModelFolder(
        path=path,
        name=name or path.name,
        files=known,
        config=config,
        pipeline=pipeline,
        saved=saved if is_module else {},
        max_seq_length=settings.max_seq_length,
        do_lower_case=settings.do_lower_case,
        tokenizer_config=settings.tokenizer,
        rules=settings.rules,
    )


def _refuse_unread(path: Path, pipeline: Pipeline, files: frozenset[str]) -> None:
    """Refuse what would change the vectors and is not read: a lone adapter, packed weights."""
    root = path / pipeline.transformer
    prefix = f"{pipeline.transformer}/" if pipeline.transformer else ""
    own = (layout.WEIGHTS, INDEX, layout.PICKLE)
    weights = any(prefix + name in files for name in own)
    refuse_alone(root, weights=weights)
    config = read_object(root / layout.CONFIG, required=False)
    elsewhere = config.get("transformers_weights")
    if elsewhere not in (None, layout.WEIGHTS) and weights:
        raise UnsupportedModelError(
            f"{root / layout.CONFIG} says transformers_weights {shown(elsewhere)}: its weights are "
            f"in a file that hotbed does not read. Name that file {layout.WEIGHTS} and remove the "
            f"key"
        )
    packed = config.get("quantization_config")
    if packed and weights:
        method = packed.get("quant_method") if isinstance(packed, dict) else packed
        raise UnsupportedModelError(
            f"{root / layout.CONFIG} has a quantization_config ({method!r:.60}): its weights are "
            f"packed, and hotbed reads float weights; take the model as it was before"
        )


def _read_encoder(
    root: Path, pipeline: Pipeline, *, is_module: bool
) -> tuple[dict[str, Any], EncoderSettings]:
    """The configuration and the settings of the module that embeds tokens."""
    if pipeline.is_static:
        config = static_config(read_object(root / layout.CONFIG, required=False))
        return config, read_static(config)
    config = read_object(root / layout.CONFIG)
    if not config.get("model_type"):
        raise CorruptFileError(f"{root / layout.CONFIG} has no model_type; it names the family")
    # As in sentence-transformers, only modules.json makes a folder more than a bare transformer.
    return config, read_transformer(root, config, is_module=is_module)
