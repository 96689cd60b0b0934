"""How a promise may be missed by texts that nobody has seen, in words."""

from __future__ import annotations

from hotbed.fidelity import Fidelity

__all__ = ["caveat"]


def caveat(held_out: Fidelity | None) -> str:
    """What a lowest cosine on so many texts says of others; ``""`` where there is none.

    The rule of three (Hanley and Lippman-Hand 1983, doi:10.1001/jama.1983.03330370053031): of what
    did not come once in n, at most 3/n are so, with 95 % confidence.
    """
    if held_out is None:
        return ""
    share = min(1.0, 3 / held_out.texts)
    return (
        f"of other texts like these {held_out.texts}, up to {share:.1%} may lie below the lowest "
        f"cosine (95 % confidence, the rule of three); of texts unlike them nothing is said"
    )
