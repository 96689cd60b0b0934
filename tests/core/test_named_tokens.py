"""What a folder says of its tokens and its transformer beside tokenizer.json and the weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hotbed.errors import CorruptFileError, UnsupportedModelError
from hotbed.inference.tokenisation import Tokenizer
from hotbed.models import read_folder
from hotbed.testing import build_tiny


def _change(path: Path, **changes: Any) -> None:
    held = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    path.write_text(json.dumps(held | changes), encoding="utf-8")


@pytest.mark.parametrize("file", ["special_tokens_map.json", "tokenizer_config.json"])
def test_a_named_token_is_one_token(tmp_path: Path, file: str) -> None:
    """tokenizer.json knows ``dog`` as a piece of text; a name makes it a token inside a word."""
    folder = build_tiny(tmp_path / "tiny")
    before = Tokenizer.open(read_folder(folder)).encode(["xdog"]).ids
    _change(folder / file, mask_token="dog")
    opened = Tokenizer.open(read_folder(folder))
    dog = opened.backend.token_to_id("dog")
    assert dog not in before[0]
    assert dog in opened.encode(["xdog"]).ids[0]
    assert dog in opened.unlimited().encode(["xdog"]).ids[0]


@pytest.mark.parametrize(
    "changes",
    [
        {"added_tokens_decoder": ["dog"]},
        {"added_tokens_decoder": {"x": "dog"}},
        {"added_tokens_decoder": {"5": 7}},
        {"additional_special_tokens": [7]},
    ],
    ids=str,
)
def test_a_token_that_is_none(tmp_path: Path, changes: dict[str, Any]) -> None:
    """A wrong kind of value is named with its file."""
    folder = build_tiny(tmp_path / "tiny")
    _change(folder / "tokenizer_config.json", **changes)
    with pytest.raises(CorruptFileError, match=r"tokenizer_config\.json"):
        Tokenizer.open(read_folder(folder))


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"method_output_name": "pooler_output"}, "method_output_name"),
        ({"model_kwargs": {"variant": "fp16"}}, "model_kwargs.variant='fp16'"),
        ({"model_args": {"use_safetensors": False}}, "model_kwargs.use_safetensors=False"),
        ({"processor_kwargs": {"tokenizer_type": "roberta"}}, "tokenizer_type"),
        (
            {
                "modality_config": {"text": {"method": "forward", "method_output_name": "x"}},
                "module_output_name": "token_embeddings",
            },
            "modality_config",
        ),
        ({"modality_config": {"message": {}}, "module_output_name": "token_embeddings"}, "message"),
    ],
    ids=str,
)
def test_settings_of_the_transformer(tmp_path: Path, changes: dict[str, Any], named: str) -> None:
    """What sentence-transformers would follow, or fail on, is refused by name."""
    folder = build_tiny(tmp_path / "tiny")
    _change(folder / "sentence_bert_config.json", **changes)
    with pytest.raises(UnsupportedModelError, match=named):
        read_folder(folder)


def test_settings_that_say_how_and_not_what(tmp_path: Path) -> None:
    """The type and the attention that the weights are loaded with do not make another model."""
    folder = build_tiny(tmp_path / "tiny")
    text = {"text": {"method": "forward", "method_output_name": "last_hidden_state"}}
    _change(
        folder / "sentence_bert_config.json",
        model_args={"torch_dtype": "float16", "attn_implementation": "eager"},
        modality_config=text,
        module_output_name="token_embeddings",
        unpad_inputs=False,
        backend="onnx",
    )
    read_folder(folder)


def test_weights_under_another_name(tmp_path: Path) -> None:
    """transformers_weights of config.json sends transformers to another file."""
    folder = build_tiny(tmp_path / "tiny")
    _change(folder / "config.json", transformers_weights="other.safetensors")
    with pytest.raises(UnsupportedModelError, match="transformers_weights 'other"):
        read_folder(folder)
    _change(folder / "config.json", transformers_weights="model.safetensors")
    read_folder(folder)
