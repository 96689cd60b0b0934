"""Say what a folder is that has no ``config.json``."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from hotbed.errors import MissingFileError, UnsupportedModelError
from hotbed.models.jsonfile import read_object
from hotbed.models.layout import CONFIG, TOKENIZER
from hotbed.models.schema import shown

__all__ = ["explain_absence"]

_ADAPTER = "adapter_config.json"


def explain_absence(folder: Path, files: Collection[str]) -> None:
    """Raise an error for a folder that is known to be something else than a model.

    Args:
        folder: The folder, which has neither ``config.json`` nor ``modules.json``.
        files: What it holds.

    Raises:
        UnsupportedModelError: It is an adapter without its base.
        MissingFileError: It is an ONNX file alone.
    """
    if _ADAPTER in files:
        base = read_object(folder / _ADAPTER).get("base_model_name_or_path")
        raise UnsupportedModelError(
            f"{folder} holds an adapter, and not the model {shown(base)} that it changes. Merge "
            f"the two and save the result: `PeftModel.from_pretrained(base, adapter)"
            f".merge_and_unload().save_pretrained(folder)`"
        )
    if graphs := sorted(name for name in files if name.endswith(".onnx")):
        missing = [name for name in (CONFIG, TOKENIZER) if name not in files]
        raise MissingFileError(
            f"{folder} holds {graphs[0]} and not what goes beside it: {', '.join(missing)} is "
            f"missing. Copy config.json, tokenizer.json and tokenizer_config.json from the model "
            f"that it was exported from, and modules.json, sentence_bert_config.json and "
            f"1_Pooling/config.json where that model has them; the graph itself belongs to "
            f"onnx/model.onnx"
        )
