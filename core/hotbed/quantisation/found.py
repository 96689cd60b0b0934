"""What came of a search."""

from __future__ import annotations

from attrs import frozen

from hotbed.conversion import Converted
from hotbed.errors import BoundsError
from hotbed.measurements import Machine
from hotbed.quantisation.bounds import Bounds
from hotbed.quantisation.mixes import Trial
from hotbed.quantisation.sensitivity import Sensitivity
from hotbed.quantisation.sources import Refusal

__all__ = ["Found", "require"]


@frozen(kw_only=True)
class Found:
    """What came of a search.

    Attributes:
        model: The model's name.
        bounds: The promise.
        texts: The texts, in words.
        machine: Where it was measured.
        trials: Everything that was tried, the fastest first.
        chosen: What was written; None where nothing keeps the bounds.
        converted: The folder that was written.
        sensitivities: What each layer loses by itself, the worst first.
        refusals: Backends that took no part.
        float32_bytes: Bytes of the float32 file.
        seconds: How long it took.
    """

    model: str
    bounds: Bounds
    texts: str
    machine: Machine
    trials: tuple[Trial, ...]
    chosen: Trial | None
    converted: Converted | None
    sensitivities: tuple[Sensitivity, ...]
    refusals: tuple[Refusal, ...]
    float32_bytes: int
    seconds: float


def require(found: Found) -> Trial:
    """Give what was chosen.

    Raises:
        BoundsError: Nothing keeps the bounds; the nearest are in the message.
    """
    if found.chosen is not None:
        return found.chosen
    near = [one for one in found.trials if one.fidelity is not None]
    near.sort(key=lambda one: -(one.fidelity.mean if one.fidelity else 0))
    lines = [
        f"  {one.mix.backend} {one.mix}: {one.nbytes / 1e6:.1f} MB, {one.speed:.2f} ×, lowest "
        f"cosine {one.fidelity.lowest:.4f}, mean {one.fidelity.mean:.4f}; misses: {one.missed}"
        for one in near[:3]
        if one.fidelity is not None
    ]
    tried = len(found.trials)
    raise BoundsError(
        "\n".join([f"nothing of {tried} tried keeps {found.bounds}; the nearest:", *lines])
    )
