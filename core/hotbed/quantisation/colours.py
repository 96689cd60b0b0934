"""The colours of plots, for light pages and for dark ones."""

from __future__ import annotations

from attrs import frozen

__all__ = ["DARK", "LIGHT", "Colours"]


@frozen(kw_only=True)
class Colours:
    """What a plot is drawn in, by what it is for."""

    ground: str
    ink: str
    quiet: str
    faint: str
    kept: str
    missed: str
    chosen: str
    bound: str


LIGHT = Colours(
    ground="#ffffff",
    ink="#212529",
    quiet="#5c636a",
    faint="#e9ecef",
    kept="#495057",
    missed="#868e96",
    chosen="#d9480f",
    bound="#1864ab",
)
DARK = Colours(
    ground="#1b1e22",
    ink="#f1f3f5",
    quiet="#adb5bd",
    faint="#343a40",
    kept="#ced4da",
    missed="#868e96",
    chosen="#ff922b",
    bound="#74c0fc",
)
