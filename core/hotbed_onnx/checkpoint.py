"""The tensors of a checkpoint under one set of names, however its dialect spells them.

An architecture is written with one name for each tensor. A dialect is a table that turns those
names into the ones in the file: a family's hub repositories and transformers itself often differ,
and some files hold several matrices as one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from attrs import define, field, frozen
from numpy.typing import NDArray

from hotbed.errors import CorruptFileError
from hotbed.models.weights import Weights

__all__ = ["Checkpoint", "Dialect", "Layout"]

Floats = NDArray[np.float32]

_WRAPPERS = {
    "_orig_mod": " (torch.compile)",
    "module": " (DataParallel or DistributedDataParallel)",
    "_fsdp_wrapped_module": " (FSDP)",
    "base_model": " (peft)",
}
"""The first part of a prefix → who writes it."""

_SHOWN = 4
"""How many tensors of a kind an error names."""


@frozen(kw_only=True)
class Dialect:
    """How one kind of checkpoint spells an architecture's names.

    Attributes:
        renames: A part of a name → what stands there in the file; all that fit are applied.
        packed: A part of a name → (what stands there in the file, which block of rows, of how
            many): matrices of equal size that the file holds as one.
        second: Spellings of older files, tried where the first one is not there.
    """

    renames: Mapping[str, str] = field(factory=dict)
    packed: Mapping[str, tuple[str, int, int]] = field(factory=dict)
    second: Mapping[str, str] = field(factory=dict)

    def place(self, name: str) -> tuple[str, int, int]:
        """The file's name for a tensor, the block of rows in it, and how many blocks there are."""
        block, count = 0, 1
        for part, (there, index, total) in self.packed.items():
            if part in name:
                name, block, count = name.replace(part, there), index, total
        return _replaced(name, self.renames), block, count


@frozen(kw_only=True)
class Layout:
    """What the checkpoints of a family may look like.

    Attributes:
        dialects: The dialects, the commonest first.
        prefixes: What may stand before every name, because the encoder was saved inside a model
            with a head.
        probes: Names by which the dialect and the prefix are recognised.
        body: Beginnings of the encoder's names, in every dialect. A tensor there that the graph
            has no use for is an error; a head's elsewhere is not.
        harmless: Endings of names that hold no weights: buffers that old versions saved.
    """

    dialects: Sequence[Dialect]
    prefixes: Sequence[str]
    probes: Sequence[str]
    body: Sequence[str]
    harmless: Sequence[str] = (".position_ids", ".token_type_ids", ".inv_freq")


def _replaced(name: str, table: Mapping[str, str]) -> str:
    for part, there in table.items():
        name = name.replace(part, there)
    return name


@define(kw_only=True)
class Checkpoint:
    """A checkpoint, asked by an architecture's own names.

    Names are claimed while the graph is drawn and read when it is written. ``settle`` raises
    everything that did not fit at once, before anything is written.
    """

    weights: Weights
    layout: Layout
    dialect: Dialect
    prefix: str
    _claimed: set[str] = field(factory=set)
    _absent: dict[str, str] = field(factory=dict)
    _misshapen: dict[str, str] = field(factory=dict)

    @classmethod
    def open(cls, weights: Weights, layout: Layout) -> Checkpoint:
        """Recognise the dialect and the prefix: those under which the most probes are found."""
        ways = [
            cls(weights=weights, layout=layout, dialect=dialect, prefix=prefix)
            for dialect in layout.dialects
            for prefix in layout.prefixes
        ]
        return max(ways, key=lambda way: sum(way.holds(name) for name in layout.probes))

    def holds(self, name: str) -> bool:
        """Whether there is such a tensor."""
        return self._spelt(name)[0] in self.weights.names

    def shape(self, name: str) -> tuple[int, ...] | None:
        """The shape of a tensor that has one of its own in the file; None where there is none."""
        return self.weights.shape(self._spelt(name)[0])

    def is_whole(self, name: str) -> bool:
        """Whether a tensor is stored as whole numbers."""
        return self.weights.is_whole(self._spelt(name)[0])

    def whole(self, name: str) -> NDArray[np.int64]:
        """Read a tensor of whole numbers."""
        return self.weights.whole(self._spelt(name)[0])

    def claim(self, name: str, shape: tuple[int, ...]) -> None:
        """Note that a tensor of this shape is needed; what is wrong with it is kept for later."""
        spelt, _, count = self._spelt(name)
        found = self.weights.shape(spelt)
        wanted = (shape[0] * count, *shape[1:])
        self._claimed.add(spelt)
        if found is None:
            self._absent[spelt] = f"{spelt!r} of shape {wanted}"
        elif found != wanted:
            self._misshapen[spelt] = (
                f"the tensor {spelt!r} has the shape {found}, and config.json asks for {wanted}"
            )

    def read(self, name: str, shape: tuple[int, ...], rows: slice | None = None) -> Floats:
        """Read one tensor as float32, or some of its rows; from a packed one, its own alone."""
        spelt, block, count = self._spelt(name)
        if count > 1:
            mine = range(block * shape[0], (block + 1) * shape[0])[rows or slice(None)]
            rows = slice(mine.start, mine.stop)
        return self.weights.float32(spelt, (shape[0] * count, *shape[1:]), rows=rows)

    def settle(self) -> None:
        """Compare what was claimed with what is there.

        Raises:
            CorruptFileError: Tensors are missing, of another shape, or of no use to a model of
                this configuration; the message names them.
        """
        wrong = _shortened("it holds no tensor ", list(self._absent.values()))
        wrong += list(self._misshapen.values())[:_SHOWN]
        spare = sorted(name for name in self.weights.names if self._is_spare(name))
        wrong += _shortened("it holds, and config.json leaves no place for, ", spare)
        if wrong and (prefix := self._foreign_prefix()):
            raise CorruptFileError(
                f"{self.weights.path}: the names of its tensors start with {prefix!r}, which a "
                f"training wrapper put there{_WRAPPERS.get(prefix.split('.')[0], '')}. Save the "
                f"wrapped model itself with save_pretrained(), or rename the tensors"
            )
        if wrong:
            raise CorruptFileError(
                f"{self.weights.path} and config.json disagree: {'; '.join(wrong)}. Save the "
                f"model again with its own config.json"
            )

    def _foreign_prefix(self) -> str:
        """What stands before every name that was looked for in vain; ``""`` if nothing does."""
        for name in self._absent:
            bare = name.removeprefix(self.prefix)
            for held in sorted(self.weights.names, key=len):
                if held.endswith(f".{bare}"):
                    prefix = held.removesuffix(bare)
                    return prefix if prefix not in self.layout.prefixes else ""
        return ""

    def _is_spare(self, name: str) -> bool:
        inside = name.startswith(tuple(self.prefix + part for part in self.layout.body))
        return (
            inside and name not in self._claimed and not name.endswith(tuple(self.layout.harmless))
        )

    def _spelt(self, name: str) -> tuple[str, int, int]:
        there, block, count = self.dialect.place(name)
        spelt = self.prefix + there
        if spelt not in self.weights.names:
            older = self.prefix + _replaced(there, self.dialect.second)
            spelt = older if older in self.weights.names else spelt
        return spelt, block, count


def _shortened(what: str, names: list[str]) -> list[str]:
    if not names:
        return []
    more = len(names) - _SHOWN
    return [what + ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")]
