"""DistilBERT: msmarco-distilbert, multi-qa-distilbert. Sanh et al. 2019, arXiv:1910.01108.

BERT without token types, under other names. Where ``sinusoidal_pos_embds`` is set, the sines are
stored as weights like any other position embeddings.
"""

from __future__ import annotations

from hotbed_onnx.architectures.bert import GAMMA_BETA
from hotbed_onnx.blocks import post_norm
from hotbed_onnx.checkpoint import Dialect, Layout
from hotbed_onnx.configuration import Config, head_size, read_activation, read_sizes
from hotbed_onnx.draft import Draft

__all__ = ["LAYOUT", "encode"]

_EPS = 1e-12
"""Fixed in the model; the configuration has no word for it."""

LAYOUT = Layout(
    dialects=[
        Dialect(
            renames={
                "encoder.layer.": "transformer.layer.",
                "attention.self.query": "attention.q_lin",
                "attention.self.key": "attention.k_lin",
                "attention.self.value": "attention.v_lin",
                "attention.output.dense": "attention.out_lin",
                "attention.output.LayerNorm": "sa_layer_norm",
                "intermediate.dense": "ffn.lin1",
                "output.dense": "ffn.lin2",
                "output.LayerNorm": "output_layer_norm",
            },
            second=GAMMA_BETA,
        )
    ],
    prefixes=["", "distilbert."],
    probes=post_norm.PROBES,
    body=["embeddings.", "transformer."],
)


def encode(draft: Draft, config: Config, ids: str, padding: str) -> tuple[str, int]:
    """Draw the encoder; gives ``last_hidden_state`` and its width.

    Raises:
        CorruptFileError: A size is missing or does not fit the others.
        UnsupportedModelError: The activation is not known.
    """
    vocab, hidden, layers, heads, inner, positions = read_sizes(
        config, "vocab_size", "dim", "n_layers", "n_heads", "hidden_dim", "max_position_embeddings"
    )
    head_size(hidden, heads, "n_heads")
    shape = post_norm.PostNorm(
        vocab=vocab,
        hidden=hidden,
        layers=layers,
        heads=heads,
        intermediate=inner,
        positions=positions,
        types=0,
        activation=read_activation(config, "activation", "gelu"),
        eps=_EPS,
    )
    return post_norm.encode(draft, shape, ids, padding), hidden
