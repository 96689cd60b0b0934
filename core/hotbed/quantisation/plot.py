"""The picture of a search: how fast, how faithful and how large every candidate is."""

from __future__ import annotations

import io
import math
from typing import Any

from attrs import define, field

from hotbed.quantisation.colours import DARK, LIGHT, Colours
from hotbed.quantisation.found import Found
from hotbed.quantisation.labels import Room
from hotbed.quantisation.mixes import Trial
from hotbed.quantisation.points import Point, border, loss, points_of

__all__ = ["draw_plot"]

_LONGEST = 44
"""Characters of a label."""

_WIDE = 90
"""Characters of the title, and of a bound."""

_FONT = "DejaVu Sans"
"""Comes with matplotlib, so the picture is the same everywhere."""


def draw_plot(found: Found, *, dark: bool = False) -> bytes:
    """Draw speed against loss of fidelity, larger markers for larger files.

    Args:
        found: What came of the search.
        dark: Whether it will stand on a dark page.

    Returns:
        A PNG.
    """
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    written = io.BytesIO()
    with matplotlib.rc_context():
        matplotlib.rcdefaults()  # whatever the user's matplotlibrc says
        matplotlib.rcParams["font.family"] = _FONT
        colours = DARK if dark else LIGHT
        figure = Figure(figsize=(9, 6), dpi=160, facecolor=colours.ground, layout="constrained")
        FigureCanvasAgg(figure)
        picture = _Picture(found=found, colours=colours, figure=figure)
        picture.draw()
        figure.savefig(written, format="png", facecolor=colours.ground, metadata={"Software": None})
    return written.getvalue()


@define(kw_only=True, eq=False)
class _Picture:
    """A picture under way.

    Attributes:
        found: What is drawn.
        colours: In what.
        figure: On what; matplotlib has no types.
    """

    found: Found
    colours: Colours
    figure: Any
    axes: Any = field(init=False)
    points: list[Point] = field(init=False)
    labels: list[Any] = field(factory=list)
    bounds: list[list[tuple[float, float]]] = field(factory=list)

    def __attrs_post_init__(self) -> None:
        self.figure.get_layout_engine().set(w_pad=0.14, h_pad=0.1)  # inches
        self.axes = self.figure.add_subplot()
        self.points = points_of(self.found)

    def draw(self) -> None:
        """Draw everything; labels come last, where room is left."""
        self._frame()
        if not self.points:
            self.axes.set_axis_off()
            ink, middle = self.colours.ink, {"xycoords": "axes fraction", "ha": "center"}
            nothing = "nothing that was tried could be measured"
            self._write((0.5, 0.5), nothing, xytext=(0, 0), color=ink, **middle)
            return
        self._limits()
        self._bounds()
        self._marks()
        self._key()
        # Lays everything out, which says where points are; then nothing moves any more.
        self.figure.draw_without_rendering()
        self.figure.set_layout_engine("none")
        self._label_points()

    def _frame(self) -> None:
        ink, quiet = self.colours.ink, self.colours.quiet
        title = f"{self.found.model}: {len(self.found.trials)} quantised forms tried"
        text = {"parse_math": False}  # a dollar in a name is a dollar
        self.axes.set_title(
            _drawable(title, _WIDE),
            loc="left",
            color=ink,
            fontsize=13,
            weight="bold",
            pad=38,
            **text,
        )
        self.axes.set_facecolor(self.colours.ground)
        self.axes.set_xlabel("speed, × float32 (thin line: from the slowest round to the fastest)")
        self.axes.set_ylabel("1 - mean cosine to float32 (logarithmic; lower is better)")
        for axis in (self.axes.xaxis, self.axes.yaxis):
            axis.label.set(color=quiet, fontsize=10)
        self.figure.supxlabel(
            _drawable(str(self.found.machine), 130), color=quiet, fontsize=7.5, **text
        )
        self.axes.spines[["top", "right"]].set_visible(False)
        self.axes.spines[["left", "bottom"]].set_color(self.colours.missed)
        self.axes.tick_params(which="both", colors=quiet, labelsize=9)
        self.axes.grid(which="major", color=self.colours.faint, linewidth=0.8)
        self.axes.set_axisbelow(True)

    def _limits(self) -> None:
        """Room for every point, bound and label; at least a decade of loss."""
        from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

        bounds = self.found.bounds
        across = [1.0, *(x for point in self.points for x in (point.least, point.most))]
        up = [point.y for point in self.points]
        if bounds.min_speedup is not None:
            across.append(bounds.min_speedup)
        if bounds.min_mean_cosine is not None:
            up.append(loss(bounds.min_mean_cosine))
        if bounds.min_cosine is not None:
            up += [loss(bounds.min_cosine), *(point.worst for point in self.points)]
        room = 0.1 * (max(across) - min(across)) or 0.1
        self.axes.set_xlim(max(0, min(across) - room), max(across) + 2 * room)
        low, high = math.log10(min(up)), math.log10(max(up))
        room = max(0.12 * (high - low), (1 - (high - low)) / 2)
        self.axes.set_yscale("log")
        self.axes.set_ylim(10 ** (low - room), 10 ** (high + room))
        few = high - low + 2 * room < 3  # decades
        self.axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if few else (1,)))
        self.axes.yaxis.set_minor_locator(NullLocator())
        self.axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))

    def _bounds(self) -> None:
        """The bounds as lines, and float32 itself."""
        bounds, bound = self.found.bounds, self.colours.bound
        self._upright(1, color=self.colours.missed, lw=0.8, ls=(0, (1, 3)))
        self._beside(1, "float32", self.colours.quiet)
        if bounds.min_speedup is not None:
            self._upright(bounds.min_speedup, color=bound, lw=1.2)
            self._beside(bounds.min_speedup, f"speed ≥ {bounds.min_speedup:g} ×", bound)
        if bounds.min_mean_cosine is not None:
            self._level(bounds.min_mean_cosine, color=bound, lw=1.2)
            self._above(bounds.min_mean_cosine, f"mean cosine ≥ {bounds.min_mean_cosine:g}")
        if bounds.min_cosine is not None:
            self._level(bounds.min_cosine, color=bound, lw=1.2, ls=(0, (5, 3)))
            self._above(bounds.min_cosine, f"lowest cosine ≥ {bounds.min_cosine:g}: ends of lines")

    def _upright(self, x: float, **how: Any) -> None:
        self.axes.axvline(x, **how)
        low, high = self.axes.get_ylim()
        self.bounds.append([(x, low), (x, high)])

    def _level(self, cosine: float, **how: Any) -> None:
        y = loss(cosine)
        self.axes.axhline(y, **how)
        left, right = self.axes.get_xlim()
        self.bounds.append([(left, y), (right, y)])

    def _beside(self, x: float, text: str, colour: str) -> None:
        """Name an upright line, at its foot."""
        along = self.axes.get_xaxis_transform()
        self._write((x, 0), text, xycoords=along, xytext=(4, 4), color=colour)

    def _above(self, cosine: float, text: str) -> None:
        """Name a level line, at its right end."""
        along = self.axes.get_yaxis_transform()
        colour = self.colours.bound
        self._write(
            (1, loss(cosine)), text, xycoords=along, xytext=(0, 3), color=colour, ha="right"
        )

    def _write(self, place: tuple[float, float], text: str, **how: Any) -> None:
        """Write beside a place; ``xytext`` says how many points beside."""
        how = {"fontsize": 8.5, "textcoords": "offset points", "parse_math": False, **how}
        self.labels.append(self.axes.annotate(_drawable(text, _WIDE), place, **how))

    def _marks(self) -> None:
        colours = self.colours
        best = border(self.points)
        self.axes.plot(
            [one.x for one in best], [one.y for one in best], color=colours.missed, lw=1.3, zorder=2
        )
        for point in self.points:
            face, edge, line = self._look(point)
            self.axes.hlines(point.y, point.least, point.most, color=line, lw=0.9, zorder=2.5)
            if self.found.bounds.min_cosine is not None:
                self.axes.vlines(point.x, point.y, point.worst, color=line, lw=0.9, zorder=2.5)
                self.axes.plot(point.x, point.worst, marker="_", color=line, ms=7, zorder=2.5)
            on_top = 5 if point.trial == self.found.chosen else 3
            self.axes.scatter(
                point.x, point.y, s=point.area, c=face, edgecolors=edge, lw=1.3, zorder=on_top
            )

    def _look(self, point: Point) -> tuple[str, str, str]:
        """The colours of a marker's inside, of its edge and of the lines through it."""
        colours = self.colours
        if point.trial == self.found.chosen:
            return colours.chosen, colours.ground, colours.chosen
        if point.trial.missed:
            return colours.ground, colours.missed, colours.missed
        return colours.kept, colours.ground, colours.kept

    def _key(self) -> None:
        """What fillings and sizes mean, in one row above."""
        from matplotlib.lines import Line2D

        def dot(label: str, face: str, edge: str, span: float = 8) -> Any:
            return Line2D([], [], ls="", marker="o", mfc=face, mec=edge, ms=span, label=label)

        colours, ground = self.colours, self.colours.ground
        handles = [dot("chosen", colours.chosen, colours.chosen)] if self.found.chosen else []
        handles += [
            dot("keeps the bounds", colours.kept, colours.kept),
            dot("misses one", ground, colours.missed),
            Line2D([], [], color=colours.missed, lw=1.3, label="nothing is faster and nearer"),
        ]
        by_size = sorted(self.points, key=lambda one: one.trial.nbytes)
        for point in by_size[:1] + by_size[1:][-1:]:
            size = f"{point.trial.nbytes / 1e6:,.1f} MB"
            handles.append(dot(size, ground, colours.quiet, point.span))
        self.axes.legend(
            handles=handles,
            loc="lower left",
            bbox_to_anchor=(-0.01, 1.0),
            ncols=len(handles),
            frameon=False,
            fontsize=8.5,
            labelcolor=colours.quiet,
            handletextpad=0.5,
            columnspacing=1.4,
            borderaxespad=0.2,
        )

    def _label_points(self) -> None:
        """Name what was chosen, the best and whole recipes; mixes beside the border are many."""
        best = {one.number for one in border(self.points)}
        several = len({one.trial.mix.backend for one in self.points}) > 1

        def rank(one: Point) -> tuple[bool, bool, bool, int]:
            whole = not one.trial.mix.layers
            chosen = one.trial == self.found.chosen
            return not chosen, one.number not in best, not whole, one.number

        room = Room(self.figure, self.axes, self.labels)
        room.take_points(self.points, lowest=self.found.bounds.min_cosine is not None)
        room.take_lines([(one.x, one.y) for one in border(self.points)])
        for line in self.bounds:
            room.take_lines(line)
        for point in sorted(self.points, key=rank):
            mix = point.trial.mix
            full = f"{mix.backend}: {mix}" if several else str(mix)
            texts = [f"{point.number} · {_drawable(full, _LONGEST)}", str(point.number)]
            if mix.layers and point.number not in best and point.trial != self.found.chosen:
                texts = texts[1:]
            style: dict[str, Any] = {"fontsize": 8.5, "color": self.colours.quiet}
            if point.trial == self.found.chosen:
                texts[0] = f"{texts[0]}\n{_in_numbers(point.trial)}"
                style = {"fontsize": 9.5, "color": self.colours.chosen, "weight": "bold"}
            room.label(point, texts, style)


def _in_numbers(one: Trial) -> str:
    assert one.fidelity is not None
    assert one.speedup is not None
    return f"{one.speedup.median:.2f} ×, {one.nbytes / 1e6:,.1f} MB, mean {one.fidelity.mean:.4f}"


def _drawable(text: str, longest: int) -> str:
    """A line of what the font can draw, and not too much of it."""
    from matplotlib.font_manager import findfont, get_font

    known = get_font(findfont(_FONT)).get_charmap()
    line = "".join(sign if ord(sign) in known else "□" for sign in " ".join(text.split()))
    return line if len(line) <= longest else f"{line[: longest - 1]}…"
