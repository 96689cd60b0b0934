"""Random small models of transformers' own making, and hotbed's graphs and references beside."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from hotbed import reference
from hotbed.backends import TokenBatch
from hotbed.fidelity import compare_vectors
from hotbed.models import read_folder
from hotbed.testing.tiny_batches import KINDS, make_batch
from hotbed.testing.tiny_families import build_family
from tests.onnx.family import PROFILES, open_both
from tests.onnx.reference import build
from tests.oracle.ledger import LEDGER

__all__ = ["Subject", "randomise", "save"]

COSINE, DIFFERENCE = 0.99999, 1e-4
"""The lowest cosine and the largest difference of one number that are let pass."""

Floats = NDArray[np.float32]


def randomise(torch: Any, model: Any, seed: int) -> Any:
    """Give a model of transformers random weights that tell tokens apart, and put it to use.

    0.02, transformers' own spread, makes all texts alike.
    """
    torch.manual_seed(seed)
    for name, values in model.named_parameters():
        middle = 1.0 if "norm" in name.lower() and name.endswith("weight") else 0.0
        torch.nn.init.normal_(values, mean=middle, std=0.3)
    return model.eval()


def save(
    torch: Any,
    folder: Path,
    family: str,
    config: dict[str, Any],
    *,
    seed: int = 0,
    **options: Any,
) -> Path:
    """Let transformers write a random model of a family into a tiny folder.

    Args:
        torch: PyTorch.
        folder: The folder.
        family: A key of ``hotbed.testing.tiny_families.TINY``.
        config: Changes to that tiny configuration.
        seed: For the weights.
        **options: Arguments of ``save_pretrained``.
    """
    transformers = importlib.import_module("transformers")
    build_family(folder, family, config=config)
    settings = transformers.AutoConfig.from_pretrained(folder)
    model = randomise(torch, transformers.AutoModel.from_config(settings), seed)
    (folder / "model.safetensors").unlink()
    model.save_pretrained(folder, **options)
    return folder


@frozen(kw_only=True)
class Subject:
    """A folder whose vectors transformers and sentence-transformers tell.

    Attributes:
        folder: The folder.
        ask: Gives (token embeddings, sentence embeddings) of a batch.
        longest: The most tokens in a batch.
        vocab: Token numbers to choose from.
        pad_id: What stands on padding.
    """

    folder: Path
    ask: Callable[[TokenBatch], tuple[Floats, Floats]]
    longest: int
    vocab: int
    pad_id: int

    @classmethod
    def open(cls, folder: Path, torch: Any, st: Callable[..., Any], longest: int) -> Subject:
        """Open a folder that sentence-transformers can load."""
        return cls.of(st(folder), folder, torch, longest)

    @classmethod
    def of(cls, model: Any, folder: Path, torch: Any, longest: int) -> Subject:
        """A folder of the same weights as a SentenceTransformer that is open already."""
        config = read_folder(folder).config

        def ask(batch: TokenBatch) -> tuple[Floats, Floats]:
            features = {
                "input_ids": torch.from_numpy(batch.input_ids),
                "attention_mask": torch.from_numpy(batch.attention_mask),
            }
            with torch.no_grad():
                out = model(features)
            return out["token_embeddings"].numpy(), out["sentence_embedding"].numpy()

        pad_id = config.get("pad_token_id")
        return cls(
            folder=folder,
            ask=ask,
            longest=longest,
            vocab=config["vocab_size"],
            pad_id=0 if pad_id is None else pad_id,
        )

    def check(self, kinds: Iterable[str] = KINDS, seed: int = 0) -> None:
        """Hold both graphs and the numpy reference to the oracle, on each kind of batch."""
        graphs = {profile: open_both(build(self.folder, profile)) for profile in PROFILES}
        for kind in kinds:
            batch = make_batch(
                kind, vocab=self.vocab, longest=self.longest, pad_id=self.pad_id, seed=seed
            )
            tokens, sentences = self.ask(batch)
            real = batch.attention_mask == 1
            for name, graph in graphs.items():
                found, pooled = graph(batch)
                self._assert_near(name, f"{kind}, tokens", tokens[real], found[real])
                self._assert_near(name, f"{kind}, sentences", sentences, pooled)
            found = reference.token_embeddings(self.folder, batch)
            self._assert_near("reference", f"{kind}, tokens", tokens[real], found[real])
            found = reference.sentence_embedding(self.folder, batch)
            self._assert_near("reference", f"{kind}, sentences", sentences, found)

    def _assert_near(self, name: str, what: str, expected: Floats, found: Floats) -> None:
        seen = compare_vectors(expected, found)
        assert seen.lowest >= COSINE, f"{name}, {what}: {seen}"
        assert seen.max_abs <= DIFFERENCE, f"{name}, {what}: {seen}"
        LEDGER.note(read_folder(self.folder).family, name, seen)
