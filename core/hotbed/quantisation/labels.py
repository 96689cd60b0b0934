"""Where labels of points go so that none covers another, a point or a line."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any

from attrs import frozen

from hotbed.quantisation.points import Point

__all__ = ["Box", "Room", "find_room"]

_GAPS = (0.2, 1.4, 2.6, 4.2, 6.4)
"""Distances that are tried, in heights of the label's line."""

_SIDES = ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (1, -1), (-1, 1), (-1, -1))
"""Right, left, above and below, then the corners."""

_Corner = tuple[float, float]


@frozen
class Box:
    """A rectangle, y upwards."""

    left: float
    bottom: float
    right: float
    top: float

    @classmethod
    def around(cls, x: float, y: float, width: float, height: float) -> Box:
        """From the middle and the size."""
        return cls(x - width / 2, y - height / 2, x + width / 2, y + height / 2)

    @property
    def middle(self) -> tuple[float, float]:
        """Its middle."""
        return (self.left + self.right) / 2, (self.bottom + self.top) / 2

    def overlaps(self, other: Box) -> bool:
        """Whether they share more than a border."""
        apart = self.right <= other.left or other.right <= self.left
        return not (apart or self.top <= other.bottom or other.top <= self.bottom)

    def within(self, other: Box) -> bool:
        """Whether no part of it is outside the other."""
        across = other.left <= self.left and self.right <= other.right
        return across and other.bottom <= self.bottom and self.top <= other.top

    def nearest(self, x: float, y: float) -> tuple[float, float]:
        """Its point that is nearest to another."""
        return min(max(x, self.left), self.right), min(max(y, self.bottom), self.top)


def find_room(
    marker: Box,
    width: float,
    height: float,
    line: float,
    taken: Sequence[Box],
    inside: Box,
    uncrossed: Sequence[Box] = (),
) -> Box | None:
    """Find the first free place for a label, the nearest first.

    Args:
        marker: What it belongs to.
        width: Its width.
        height: Its height.
        line: The height of one of its lines, by which distances are measured.
        taken: What it must not cover.
        inside: What it must stay in.
        uncrossed: What a line from the marker to it must not cross.
    """
    for box in _places(marker, width, height, line):
        if not box.within(inside) or any(box.overlaps(other) for other in taken):
            continue
        way = list(_along(marker.middle, box.nearest(*marker.middle), line / 4))
        if not any(part.overlaps(other) for part in way for other in uncrossed):
            return box
    return None


def _places(marker: Box, width: float, height: float, line: float) -> Iterator[Box]:
    x, y = marker.middle
    for gap in _GAPS:
        across = (marker.right - marker.left + width) / 2 + gap * line
        up = (marker.top - marker.bottom + height) / 2 + gap * line
        for sideways, upwards in _SIDES:
            yield Box.around(x + sideways * across, y + upwards * up, width, height)


class Room:
    """What is taken on the axes, in pixels.

    Args:
        figure: Laid out.
        axes: Of the figure.
        texts: What stands there already.
    """

    def __init__(self, figure: Any, axes: Any, texts: Sequence[Any]) -> None:
        self._axes, self._renderer = axes, figure.canvas.get_renderer()
        self._pixels = figure.dpi / 72  # in a point
        self._inside = Box(*axes.get_window_extent(self._renderer).extents)
        self._taken = [self._box(text) for text in texts]
        self._lines: list[Box] = []
        self._written = list(self._taken)

    def _box(self, text: Any) -> Box:
        return Box(*text.get_window_extent(self._renderer).extents)

    def _at(self, x: float, y: float) -> _Corner:
        across, up = self._axes.transData.transform((x, y))
        return float(across), float(up)

    def take_points(self, points: Sequence[Point], *, lowest: bool) -> None:
        """Keep labels off markers, and off the lines through them where that can be."""
        for point in points:
            self._taken.append(self._marker(point))
            self.take_lines([(point.least, point.y), (point.most, point.y)])
            if lowest:
                self.take_lines([(point.x, point.y), (point.x, point.worst)])

    def take_lines(self, corners: Sequence[_Corner]) -> None:
        """Keep labels off a line where that can be."""
        places = [self._at(*corner) for corner in corners]
        for one, other in itertools.pairwise(places):
            self._lines += _along(one, other, 2 * self._pixels)

    def _marker(self, point: Point) -> Box:
        span = (point.span + 2) * self._pixels
        return Box.around(*self._at(point.x, point.y), span, span)

    def label(self, point: Point, texts: Sequence[str], style: dict[str, Any]) -> None:
        """Write the first of some texts that there is room for; none where all is taken."""
        marker = self._marker(point)
        clear = [*self._taken, *self._lines]
        others = [box for box in self._taken if box != marker]
        # What is taken, and what a line to the label must not cross: first the most, then less.
        tries = ((clear, others), (self._taken, others), (clear, self._written))
        for (taken, uncrossed), text in itertools.product(tries, texts):
            if text == str(point.number) and (taken is not clear or uncrossed is not others):
                continue  # a number on a line or far off tells little, and the table has it
            written = self._axes.text(0, 0, text, parse_math=False, zorder=6, **style)
            written.set(transform=None, ha="center", va="center", linespacing=1.3)
            size = self._box(written)
            line = style["fontsize"] * self._pixels
            width, height = size.right - size.left + line, size.top - size.bottom
            box = find_room(marker, width, height, line, taken, self._inside, uncrossed)
            if box is not None:
                written.set_position(box.middle)
                self._taken.append(box)
                self._written.append(box)
                self._lead(marker, Box.around(*box.middle, width - line, height), style["color"])
                return
            written.remove()

    def _lead(self, marker: Box, box: Box, colour: str) -> None:
        """Draw a line to a label that does not stand beside its marker."""
        x, y = marker.middle
        to_x, to_y = box.nearest(x, y)
        if math.hypot(to_x - x, to_y - y) < (marker.right - marker.left) / 2 + 12 * self._pixels:
            return
        from matplotlib.lines import Line2D

        self._lines += _along((x, y), (to_x, to_y), 2 * self._pixels)
        line = Line2D([x, to_x], [y, to_y], transform=None, color=colour, lw=0.6, zorder=2.2)
        self._axes.add_artist(line)


def _along(start: _Corner, end: _Corner, thick: float) -> Iterator[Box]:
    """A line as small boxes, in pixels."""
    (x, y), (to_x, to_y) = start, end
    steps = max(1, math.ceil(math.hypot(to_x - x, to_y - y) / (3 * thick)))
    for step in range(steps + 1):
        part = step / steps
        yield Box.around(x + part * (to_x - x), y + part * (to_y - y), 3 * thick, thick)
