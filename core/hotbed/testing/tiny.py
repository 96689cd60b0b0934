"""Small real models, built in a moment, without PyTorch and without the network.

A BERT of two layers with random weights and a WordPiece tokenizer over a few words: everything a
sentence-transformers folder holds, at a size that tests can build by the dozen.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["SPECIAL", "TEXTS", "WORDS", "bert_config", "bert_tensors", "build_tiny"]

WORDS = (
    "the a cat dog bread bake water stone red green small large runs sleeps eats over under "
    "query document search answer question house garden tree bird fish moon sun star river "
    "##s ##ing ##ed , . ? ! : passage"
).split()

TEXTS = (
    "the small cat sleeps under the large tree",
    "a dog runs over the river",
    "bread",
    "",
    "the bird eats the red fish . the green bird sleeps . the large dog runs !",
    "Größe 数 unknown ☃ words",
    "question : bake the bread under the sun ?",
    "stone water stone water stone water stone water stone water stone water stone water stone",
)
"""Texts of many lengths: one word, none, unknown signs, more than the tiny models read."""

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
"""The special tokens in the order of their numbers."""


def bert_config(**changes: Any) -> dict[str, Any]:
    """A ``config.json`` of a tiny BERT."""
    return {
        "architectures": ["BertModel"],
        "model_type": "bert",
        "vocab_size": len(SPECIAL) + len(WORDS),
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "intermediate_size": 48,
        "max_position_embeddings": 40,
        "type_vocab_size": 2,
        "hidden_act": "gelu",
        "layer_norm_eps": 1e-12,
        "pad_token_id": 0,
        **changes,
    }


def bert_tensors(
    config: Mapping[str, Any], seed: int = 0, *, prefix: str = "", old_names: bool = False
) -> dict[str, NDArray[np.float32]]:
    """Random tensors under the names of a BERT checkpoint.

    Args:
        config: As ``bert_config`` gives.
        seed: For the random numbers.
        prefix: ``bert.`` for a checkpoint of a model with a head.
        old_names: Whether layer norms hold ``gamma`` and ``beta``.
    """
    rng = np.random.default_rng(seed)
    hidden, inner = config["hidden_size"], config["intermediate_size"]
    shapes: dict[str, tuple[int, ...]] = {
        "embeddings.word_embeddings.weight": (config["vocab_size"], hidden),
        "embeddings.position_embeddings.weight": (config["max_position_embeddings"], hidden),
        "embeddings.token_type_embeddings.weight": (config["type_vocab_size"], hidden),
        "embeddings.LayerNorm.weight": (hidden,),
        "embeddings.LayerNorm.bias": (hidden,),
    }
    for layer in range(config["num_hidden_layers"]):
        at = f"encoder.layer.{layer}."
        for name, rows, columns in (
            ("attention.self.query", hidden, hidden),
            ("attention.self.key", hidden, hidden),
            ("attention.self.value", hidden, hidden),
            ("attention.output.dense", hidden, hidden),
            ("intermediate.dense", inner, hidden),
            ("output.dense", hidden, inner),
        ):
            shapes |= {f"{at}{name}.weight": (rows, columns), f"{at}{name}.bias": (rows,)}
        for name in ("attention.output.LayerNorm", "output.LayerNorm"):
            shapes |= {f"{at}{name}.weight": (hidden,), f"{at}{name}.bias": (hidden,)}

    def draw(name: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
        values = rng.normal(scale=0.3, size=shape)
        if name.endswith("LayerNorm.weight"):
            values += 1
        return values.astype(np.float32)

    def spell(name: str) -> str:
        if old_names:
            name = name.replace("LayerNorm.weight", "LayerNorm.gamma")
            name = name.replace("LayerNorm.bias", "LayerNorm.beta")
        return prefix + name

    return {spell(name): draw(name, shape) for name, shape in shapes.items()}


def build_tiny(
    folder: Path,
    *,
    pooling: Mapping[str, Any] | None = None,
    heads: Sequence[str] = ("Normalize",),
    config: Mapping[str, Any] | None = None,
    tensors: Mapping[str, NDArray[Any]] | None = None,
    prompts: Mapping[str, str] | None = None,
    default_prompt_name: str | None = None,
    max_seq_length: int | None = 16,
    padding_side: str = "right",
    do_lower_case: bool = False,
    dense: Mapping[str, Any] | None = None,
    seed: int = 0,
    whole: Mapping[str, Any] | None = None,
    special: Sequence[str] = SPECIAL,
    template: str = "[CLS] $A [SEP]",
) -> Path:
    """Write a tiny model folder, a BERT unless ``whole`` says otherwise.

    Args:
        folder: Where; made if it is not there.
        pooling: ``1_Pooling/config.json``, less the dimension. None: mean.
        heads: Modules after the pooling: ``Dense``, ``LayerNorm``, ``Normalize``, ``Dropout``.
        config: Changes to ``config.json``.
        tensors: The weights; random ones if None.
        prompts: Prompts by name.
        default_prompt_name: The default prompt.
        max_seq_length: The folder's limit; None leaves it out.
        padding_side: ``right`` or ``left``.
        do_lower_case: sentence-transformers' own flag.
        dense: Changes to a Dense module's configuration.
        seed: For the random weights.
        whole: The whole ``config.json``, in place of BERT's; ``tensors`` must fit it.
        special: The special tokens in the order of their numbers.
        template: What the tokenizer makes of a text ``$A``.

    Returns:
        The folder.
    """
    from safetensors.numpy import save_file

    folder.mkdir(parents=True, exist_ok=True)
    settings = dict(bert_config(**(config or {})) if whole is None else whole)
    _write(folder / "config.json", settings)
    save_file(dict(tensors or bert_tensors(settings, seed)), folder / "model.safetensors")
    _write_tokenizer(folder, padding_side, special, template)
    own: dict[str, Any] = {"do_lower_case": do_lower_case}
    if max_seq_length is not None:
        own["max_seq_length"] = max_seq_length
    _write(folder / "sentence_bert_config.json", own)
    saved = {"prompts": dict(prompts or {}), "default_prompt_name": default_prompt_name}
    _write(folder / "config_sentence_transformers.json", {**saved, "similarity_fn_name": "cosine"})

    hidden = next(settings[key] for key in _WIDTHS if key in settings)
    pool = {"word_embedding_dimension": hidden, **(pooling or {"pooling_mode_mean_tokens": True})}
    modules = [("Transformer", ""), ("Pooling", "1_Pooling")]
    (folder / "1_Pooling").mkdir(exist_ok=True)
    _write(folder / "1_Pooling" / "config.json", pool)
    width = hidden * _count_modes(pool)
    for index, head in enumerate(heads, 2):
        path = f"{index}_{head}"
        modules.append((head, path))
        (folder / path).mkdir(exist_ok=True)
        width = _write_head(folder / path, head, width, dict(dense or {}), seed + index)
    entries = [
        {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for i, (kind, path) in enumerate(modules)
    ]
    _write(folder / "modules.json", entries)
    return folder


def _count_modes(pool: Mapping[str, Any]) -> int:
    mode = pool.get("pooling_mode")
    if mode is not None:
        return 1 if isinstance(mode, str) else len(mode)
    return max(1, sum(1 for key, on in pool.items() if key.startswith("pooling_mode_") and on))


def _write(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=2), encoding="utf-8")


_WIDTHS = ("hidden_size", "dim", "n_embd")


def _write_tokenizer(
    folder: Path, padding_side: str, special: Sequence[str], template: str
) -> None:
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    vocabulary = {word: i for i, word in enumerate([*special, *WORDS])}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=False)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.add_special_tokens(list(special))
    tokenizer.post_processor = processors.TemplateProcessing(
        single=template,
        special_tokens=[("[CLS]", vocabulary["[CLS]"]), ("[SEP]", vocabulary["[SEP]"])],
    )
    # A trap that real folders set: padding and truncation of the file's own.
    tokenizer.enable_padding(length=24, pad_id=vocabulary["[PAD]"], pad_token="[PAD]")
    tokenizer.enable_truncation(max_length=6)
    tokenizer.save(str(folder / "tokenizer.json"))
    _write(
        folder / "tokenizer_config.json",
        {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "model_max_length": 32,
            "padding_side": padding_side,
            "unk_token": "[UNK]",
            "sep_token": "[SEP]",
            "pad_token": "[PAD]",
            "cls_token": "[CLS]",
        },
    )


def _write_head(folder: Path, head: str, width: int, dense: dict[str, Any], seed: int) -> int:
    from safetensors.numpy import save_file

    rng = np.random.default_rng(seed)

    def draw(*shape: int) -> NDArray[np.float32]:
        return rng.normal(scale=0.3, size=shape).astype(np.float32)

    if head == "Dropout":
        _write(folder / "config.json", {"dropout": 0.1})
    if head == "LayerNorm":
        _write(folder / "config.json", {"dimension": width})
        norm = {"norm.weight": 1 + draw(width), "norm.bias": draw(width)}
        save_file(norm, folder / "model.safetensors")
    if head != "Dense":
        return width
    settings = {"in_features": width, "out_features": 24, "bias": True, **dense}
    out = int(settings["out_features"])
    tensors = {"linear.weight": draw(out, width)}
    if settings["bias"]:
        tensors["linear.bias"] = draw(out)
    if settings.get("use_residual") and out != width:
        tensors["residual.weight"] = draw(out, width)
    _write(folder / "config.json", settings)
    save_file(tensors, folder / "model.safetensors")
    return out
