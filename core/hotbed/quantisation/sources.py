"""What every installed backend would start from, and what it could do with it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from attrs import evolve, frozen

from hotbed.backends.decision import Request, Route
from hotbed.backends.engine import Engine
from hotbed.backends.values import Artifact, Layer
from hotbed.errors import HotbedError, NoBackendError
from hotbed.loading import House
from hotbed.models.folder import ModelFolder
from hotbed.sources import Located

__all__ = ["LAYERS", "Refusal", "Source", "find_sources"]

LAYERS = "layers"
"""The feature of a recipe that takes single layers."""


@frozen(kw_only=True, eq=False)
class Source:
    """A float32 file, and a backend that quantises it.

    Attributes:
        engine: The backend.
        artifact: The file.
        recipes: What the backend can do with it.
        mixing: Those that take single layers.
        layers: The layers; none where the backend does not know them.
    """

    engine: Engine
    artifact: Artifact
    recipes: tuple[str, ...]
    mixing: tuple[str, ...] = ()
    layers: tuple[Layer, ...] = ()

    @property
    def files(self) -> list[Path]:
        """The file, and what lies beside it."""
        path = self.artifact.path
        return sorted(path.parent.glob(f"{path.name}*"))

    @property
    def nbytes(self) -> int:
        """Their bytes."""
        return sum(file.stat().st_size for file in self.files)

    @property
    def backend(self) -> str:
        """The backend's name."""
        return self.engine.name


@frozen(kw_only=True)
class Refusal:
    """A backend that takes no part, and why."""

    backend: str
    reason: str


def find_sources(
    house: House,
    located: Located,
    folder: ModelFolder,
    *,
    backends: Sequence[str] = (),
    recipes: Sequence[str] = (),
    profile: str = "",
) -> tuple[list[Source], list[Refusal]]:
    """Ask every installed backend, converting the model first where it has to be.

    Args:
        house: Settings and catalogs.
        located: Where the model lies.
        folder: The model.
        backends: Only these; none means all.
        recipes: Only these; none means all.
        profile: The graph profile to start from; ``""`` leaves it to each backend.

    Raises:
        NoBackendError: Nothing installed can quantise the model; the error holds every reason.
    """
    sources, refusals = [], []
    known = [house.backends.get(name).name for name in backends]
    for name in known or _quantisers(house):
        request = Request(action="quantize", backend=name, profile=profile)
        decision = house.decide(request, folder)
        if decision.chosen is None:
            reasons = [v.reason for v in decision.verdicts if v.backend == name]
            refusals.append(Refusal(backend=name, reason="; ".join(reasons)))
            continue
        try:
            source = _source(house, located, folder, request, recipes)
        except HotbedError as error:
            refusals.append(Refusal(backend=name, reason=str(error)))
            continue
        sources += [source] if source.recipes else []
    if not sources:
        lines = [f"  {one.backend}: {one.reason}" for one in refusals]
        wanted = f" by {', '.join(recipes)}" if recipes else ""
        raise NoBackendError(
            "\n".join([f"nothing here can quantise {folder.name}{wanted}:", *lines])
        )
    return sources, refusals


def _quantisers(house: House) -> list[str]:
    """Backends that say they quantise; hotbed's own first."""
    able = [
        found
        for found in house.backends.found()
        if found.usable
        and found.manifest
        and any(c.action == "quantize" for c in found.manifest.capabilities)
    ]
    return [found.name for found in sorted(able, key=lambda f: (not f.first_party, f.name))]


def _source(
    house: House, located: Located, folder: ModelFolder, request: Request, recipes: Sequence[str]
) -> Source:
    engine = house.engine(request.backend or "")
    able = [c for c in engine.manifest.capabilities if c.action == "quantize"]
    offered = {name: c for c in able for name in c.recipes if not recipes or name in recipes}
    routes: dict[str, Route] = {}
    for name in offered:
        chosen = house.decide(evolve(request, recipe=name), folder).chosen
        if chosen is not None and chosen.route is not None:
            routes[name] = chosen.route
    if not routes:
        return Source(engine=engine, artifact=_nothing(folder), recipes=())
    artifact = house.artifact(next(iter(routes.values())), located, folder)
    mixing = tuple(name for name in routes if LAYERS in offered[name].features)
    return Source(
        engine=engine,
        artifact=artifact,
        recipes=tuple(routes),
        mixing=mixing,
        layers=engine.layers(artifact) if mixing else (),
    )


def _nothing(folder: ModelFolder) -> Artifact:
    return Artifact(folder=folder.path, path=folder.path, variant=folder.variants[0])
