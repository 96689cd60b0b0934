"""RoBERTa, CamemBERT and XLM-RoBERTa: all-distilroberta, bge-m3, multilingual-e5.

Liu et al. 2019, arXiv:1907.11692. BERT whose positions are counted from ``pad_token_id + 1`` on,
so that 514 position embeddings hold 512 tokens.
"""

from __future__ import annotations

from attrs import evolve

from hotbed.errors import UnsupportedModelError
from hotbed_onnx.architectures import bert
from hotbed_onnx.blocks import post_norm
from hotbed_onnx.checkpoint import Dialect, Layout
from hotbed_onnx.configuration import Config
from hotbed_onnx.draft import Draft

__all__ = ["LAYOUT", "encode"]

LAYOUT = Layout(
    dialects=[Dialect(second=bert.GAMMA_BETA)],
    prefixes=["", "roberta.", "camembert."],
    probes=post_norm.PROBES,
    body=["embeddings.", "encoder."],
)


def encode(draft: Draft, config: Config, ids: str, padding: str) -> tuple[str, int]:
    """Draw the encoder; gives ``last_hidden_state`` and its width.

    Raises:
        CorruptFileError: A size is missing or does not fit the others.
        UnsupportedModelError: The model is of a kind that this file does not describe.
    """
    pad_id = config.get("pad_token_id", 1)
    if type(pad_id) is not int or pad_id < 0:
        raise UnsupportedModelError(
            f"pad_token_id is {pad_id!r}; RoBERTa counts positions from the padding token's number"
        )
    shape = evolve(bert.read(config, "RoBERTa"), pad_id=pad_id)
    return post_norm.encode(draft, shape, ids, padding), shape.hidden
