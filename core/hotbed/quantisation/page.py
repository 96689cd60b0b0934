"""A page that shows a whole search: what was tried, what was chosen, and why."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from importlib import import_module
from importlib.resources import files
from pathlib import Path

from attrs import field, frozen

from hotbed.errors import UsageError
from hotbed.publishing import publish_file
from hotbed.quantisation.found import Found
from hotbed.quantisation.mixes import Mix, Trial
from hotbed.quantisation.plot import draw_plot
from hotbed.quantisation.promise import caveat
from hotbed.quantisation.sensitivity import Sensitivity
from hotbed.version import __version__

__all__ = ["require_page", "write_page"]

_TEMPLATE = "page.html.jinja"

_NEAREST = 3
"""Candidates that are named where nothing keeps the bounds."""


def require_page(path: Path) -> None:
    """See that a page can be written, before what it is about takes minutes.

    Raises:
        UsageError: Something that draws it is not installed, or the path is no place for it.
    """
    problems = []
    missing = [name for name in ("jinja2", "matplotlib") if not _imports(name)]
    if missing:
        problems.append(
            f"a report needs {' and '.join(missing)}, which cannot be imported; "
            'fix: pip install "hotbed[report]"'
        )
    if path.suffix.lower() != ".html":
        problems.append(f"{path} does not end in .html; the plot is written beside it as .png")
    if not path.parent.is_dir():
        problems.append(f"the folder {path.parent} for the report does not exist")
    problems += [
        f"{place} is a folder" for place in (path, path.with_suffix(".png")) if place.is_dir()
    ]
    if problems:
        raise UsageError("; ".join(problems))


def _imports(name: str) -> bool:
    try:
        import_module(name)
    except ImportError:
        return False
    return True


def write_page(found: Found, path: Path) -> tuple[Path, Path]:
    """Write the page, and the plot beside it as a PNG of the same name.

    Args:
        found: What came of the search.
        path: The page, ending in ``.html``.

    Returns:
        The page and the plot.

    Raises:
        UsageError: Something that draws it is not installed, or the path is no place for it.
    """
    require_page(path)
    light, dark = draw_plot(found), draw_plot(found, dark=True)
    page = _render(found, light, dark)
    picture = path.with_suffix(".png")
    with publish_file(picture) as stage:
        stage.write_bytes(light)
    with publish_file(path) as stage:
        stage.write_text(page, encoding="utf-8")
    return path, picture


def _render(found: Found, light: bytes, dark: bytes) -> str:
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        autoescape=True,  # names and errors come from outside
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"megabytes": _megabytes, "cosine": "{:.4f}".format}
    source = files("hotbed.quantisation").joinpath(_TEMPLATE).read_text(encoding="utf-8")
    return environment.from_string(source).render(
        found=found,
        name=found.model,
        version=__version__,
        light=_inlined(light),
        dark=_inlined(dark),
        described=_described(found),
        nearest=_nearest(found),
        caveat=caveat(found.chosen.held_out if found.chosen else None),
        warnings=[
            said
            for one in (found.converted.reports if found.converted else ())
            for said in one.warnings
        ],
        studies=list(_studies(found)),
    )


def _inlined(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode('ascii')}"


def _megabytes(count: int) -> str:
    return f"{count / 1e6:,.1f} MB"


def _described(found: Found) -> str:
    """The plot in a sentence, for those who do not see it."""
    measured = [one for one in found.trials if one.fidelity is not None]
    words = f"Speed against loss of fidelity of {len(measured)} candidates; {found.bounds} is asked"
    chosen = found.chosen
    if chosen is None or chosen.speedup is None or chosen.fidelity is None:
        return f"{words}. None is chosen. The table below holds every value."
    return (
        f"{words}. Chosen is {chosen.mix}, {chosen.speedup.median:.2f} times as fast as float32 "
        f"at mean cosine {chosen.fidelity.mean:.4f}. The table below holds every value."
    )


def _nearest(found: Found) -> list[Trial]:
    """Those that lose least, where nothing keeps the bounds."""
    if found.chosen is not None:
        return []
    measured = [one for one in found.trials if one.fidelity is not None]
    return sorted(measured, key=lambda one: -(one.fidelity.mean if one.fidelity else 0))[:_NEAREST]


@frozen(kw_only=True)
class _Unit:
    """What is known of layers that were measured together.

    Attributes:
        layers: Their names.
        losses: Recipe → what they lose in it.
        ended: What they are in the chosen mix; ``""`` where another backend's was chosen.
    """

    layers: tuple[str, ...]
    losses: dict[str, Sensitivity] = field(factory=dict)
    ended: str = ""


@frozen(kw_only=True)
class _Study:
    """What one backend's layers lose.

    Attributes:
        backend: The backend.
        recipes: Those that layers were tried in.
        units: The layers, the worst first.
        chosen: Whether a mix of this backend was chosen.
    """

    backend: str
    recipes: list[str]
    units: list[_Unit]
    chosen: bool

    @property
    def most(self) -> float:
        """The largest loss, which fills a bar."""
        return max(one.mean for unit in self.units for one in unit.losses.values()) or 1.0


def _studies(found: Found) -> Iterator[_Study]:
    mix = found.chosen.mix if found.chosen else None
    by_backend: dict[str, list[Sensitivity]] = {}
    for one in found.sensitivities:
        by_backend.setdefault(one.backend, []).append(one)
    for backend, rows in by_backend.items():
        own = mix if mix is not None and mix.backend == backend else None
        units: dict[tuple[str, ...], _Unit] = {}
        for row in rows:  # the worst first, so a unit stands where its worst recipe puts it
            unit = _Unit(layers=row.layers, ended=_ended(row.layers, own))
            units.setdefault(row.layers, unit).losses[row.recipe] = row
        yield _Study(
            backend=backend,
            recipes=sorted({row.recipe for row in rows}),
            units=list(units.values()),
            chosen=own is not None,
        )


def _ended(layers: tuple[str, ...], mix: Mix | None) -> str:
    """What layers are in a mix."""
    if mix is None:
        return ""
    special: Mapping[str, str] = dict(mix.layers)
    return ", ".join(sorted({special.get(layer, mix.recipe) for layer in layers}))
