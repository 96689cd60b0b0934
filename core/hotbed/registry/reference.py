"""Reference vectors: what a version gave for known texts, kept with it as one more file.

A machine that loads the version later compares: another engine, another processor or a damaged
conversion shows in the cosines, before anybody is served.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from hotbed.errors import CorruptFileError
from hotbed.fidelity.texts import TEXTS
from hotbed.formats import require_version
from hotbed.inference.embedder import Embedder
from hotbed.inference.inputs import texts_of

__all__ = ["REFERENCE_FILE", "ReferenceVectors", "compute_reference", "fitting", "read_reference"]

REFERENCE_FILE = "reference_vectors.safetensors"

_FORMAT, _VERSION = "hotbed.reference-vectors", 1


@frozen(kw_only=True, eq=False)
class ReferenceVectors:
    """Texts and their vectors.

    Attributes:
        texts: The texts.
        vectors: (texts, dimension) float32, without a prompt.
    """

    texts: tuple[str, ...]
    vectors: NDArray[np.float32]

    def encode(self) -> bytes:
        """The file: the same bytes for the same vectors, so that a store keeps them once.

        safetensors' own writer gives the keys of the metadata an order by chance.
        """
        content = self.vectors.astype("<f4").tobytes()
        said = {"format": _FORMAT, "version": str(_VERSION)}
        tensor = {"dtype": "F32", "shape": self.vectors.shape, "data_offsets": [0, len(content)]}
        texts = json.dumps(self.texts, ensure_ascii=False)
        header = json.dumps({"__metadata__": {**said, "texts": texts}, "vectors": tensor}).encode()
        header += b" " * (-len(header) % 8)
        return struct.pack("<Q", len(header)) + header + content


def compute_reference(folder: Path, texts: Sequence[str] = TEXTS) -> ReferenceVectors:
    """Run a model folder on texts, with what is installed here.

    Raises:
        NoBackendError: Nothing installed runs it.
    """
    from hotbed.loading import load

    with load(folder) as model:
        whole = fitting(model, texts_of(texts, name="texts"))
        return ReferenceVectors(texts=whole, vectors=model.encode(list(whole), prompt=""))


def fitting(model: Embedder, texts: Sequence[str]) -> tuple[str, ...]:
    """The texts that a model takes without cutting them; where it cuts all, the shortest."""
    counts, limit = model.count_tokens(texts), model.max_seq_length
    if limit is None:
        return tuple(texts)
    whole = [text for text, count in zip(texts, counts, strict=True) if count <= limit]
    return tuple(whole) or (texts[int(counts.argmin())],)


def read_reference(folder: Path) -> ReferenceVectors | None:
    """Read the vectors of a folder; None where it has none.

    Raises:
        CorruptFileError: The file is something else.
    """
    path = folder / REFERENCE_FILE
    if not path.is_file():
        return None
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            said = file.metadata() or {}
            require_version({**said, "version": int(said.get("version", 1))}, _FORMAT, _VERSION)
            texts = tuple(json.loads(said["texts"]))
            vectors = file.get_tensor("vectors")
        if vectors.ndim != 2 or len(vectors) != len(texts) or not len(texts):
            raise ValueError(f"{len(texts)} texts, and vectors of shape {vectors.shape}")
    except (SafetensorError, KeyError, ValueError) as error:
        raise CorruptFileError(f"{path} holds no reference vectors: {error}") from error
    return ReferenceVectors(texts=texts, vectors=vectors.astype(np.float32))
