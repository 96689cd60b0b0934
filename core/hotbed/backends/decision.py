"""What is asked of selection, what it reads, and what it answers."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import Any

from attrs import field, frozen

from hotbed.backends.manifest import Capability, dtype_name
from hotbed.backends.values import Variant
from hotbed.errors import UsageError

__all__ = [
    "Decision",
    "Measurement",
    "Model",
    "Request",
    "Route",
    "Rules",
    "Stage",
    "Verdict",
]


class Stage(enum.Enum):
    """Where a backend dropped out, or that it did not."""

    BLOCKED = "blocked"
    CONFLICT = "name conflict"
    LOAD = "load"
    HOOK_API = "hook API"
    NAMED = "not named"
    ACTION = "action"
    FORMAT = "format"
    FAMILY = "family"
    DEVICE = "device"
    DTYPE = "dtype"
    PROBE = "probe"
    PASSED_OVER = "passed over"
    CHOSEN = "chosen"


@frozen(kw_only=True)
class Request:
    """What is asked for.

    Attributes:
        action: ``embed``, ``convert`` or ``quantize``.
        task: What the model is for.
        device: ``auto``, or a device: ``cpu``, ``cuda``, ``cuda:1``.
        dtype: Arithmetic; None is that of the stored weights, or wider.
        backend: The one backend to use; None lets selection choose.
        features: Names that the capability must list.
        to: The format that a conversion is to write; ``""`` takes any.
        direct: Whether a file must be run as it is, and not converted first.
        recipe: The recipe that a quantisation is to follow; ``""`` takes any.
        profile: The graph profile that a quantisation is to start from; ``""`` takes any.
    """

    action: str = "embed"
    task: str = "embedding"
    device: str = "auto"
    dtype: str | None = field(default=None)
    backend: str | None = None
    features: tuple[str, ...] = ()
    to: str = ""
    direct: bool = False
    recipe: str = ""
    profile: str = ""

    @dtype.validator
    def _known(self, _: Any, value: str | None) -> None:
        if value is None:
            return
        try:
            dtype_name(value)
        except KeyError:
            raise UsageError(
                f"dtype={value!r} is not known; use float32, bfloat16, float16, int8, uint8, "
                f"q8, w8 or q4, or None for that of the stored weights"
            ) from None

    @property
    def canonical_dtype(self) -> str | None:
        """``dtype`` under its one name."""
        return None if self.dtype is None else dtype_name(self.dtype)


@frozen(kw_only=True)
class Model:
    """The facts about a model folder that selection reads.

    Attributes:
        name: For messages.
        family: ``config.model_type``.
        variants: The runnable files, present or fetchable; the first one is the reference, whose
            weights ``dtype=None`` means.
        folder: Where it lies, for probes.
        shape: Architecture and sizes, on which speed depends and weights do not: what
            measurements are kept by.
    """

    name: str
    family: str
    variants: tuple[Variant, ...]
    folder: Path | None = None
    shape: str = ""


@frozen(kw_only=True)
class Measurement:
    """How fast a backend ran models of one shape on this machine, as ``hotbed tune`` found it.

    Attributes:
        shape: ``Model.shape``.
        backend: The backend.
        dist: Its distribution.
        version: The distribution's version; a measurement of another version is not counted.
        device: Where it ran.
        dtype: Its arithmetic.
        token_budget: Padded tokens in a batch at which it ran best.
        bulk: Texts a second of a long list.
        query: Seconds of one short text.
        score: What ranks it; more is better.
    """

    shape: str
    backend: str
    dist: str
    version: str
    device: str
    dtype: str
    token_budget: int
    bulk: float
    query: float
    score: float

    def __str__(self) -> str:
        return f"measured here: {self.bulk:,.0f} texts/s, {self.query * 1e3:.1f} ms a query"


@frozen(kw_only=True)
class Rules:
    """What ranks those that can serve.

    Attributes:
        priority: Backends that the settings prefer, best first.
        devices: The settings' order of devices.
        measured: What ``hotbed tune`` found on this machine.
    """

    priority: tuple[str, ...] = ()
    devices: tuple[str, ...] = ("cuda", "cpu")
    measured: tuple[Measurement, ...] = ()

    def measurement(
        self, shape: str, found: tuple[str, str, str], device: str, dtype: str
    ) -> Measurement | None:
        """The measurement of a (backend, distribution, version), if there is one."""
        for one in self.measured:
            who = (one.backend, one.dist, one.version)
            if (one.shape, who, one.device, one.dtype) == (shape, found, device, dtype):
                return one
        return None


@frozen(kw_only=True)
class Route:
    """One way for a backend to run the model: a file, or a file converted first.

    Attributes:
        capability: What it is that the backend does with it.
        variant: The file.
        converter: The backend that converts the file first; ``""`` where it is read as it is.
        to: The format that the converter writes.
        profile: The graph's profile, after the conversion.
        device: Where the backend runs it.
        dtype: The arithmetic.
        knows_family: Whether reader and converter know the model's architecture.
        converter_rank: The converter's place among those that are asked.
        converter_device: Where the converter works.
        measured: What ``hotbed tune`` found for the backend, device and dtype.
    """

    capability: Capability
    variant: Variant
    converter: str = ""
    to: str = ""
    profile: str = ""
    device: str = ""
    dtype: str = ""
    knows_family: bool = True
    converter_rank: int = 0
    converter_device: str = ""
    measured: Measurement | None = None

    @property
    def file(self) -> str:
        """The route in words: ``onnx/model.onnx``, ``model.safetensors → onnx (cpu)``."""
        if not self.converter:
            return self.variant.file
        return f"{self.variant.file} → {self.to} ({self.profile}) by {self.converter}"


@frozen(kw_only=True)
class Verdict:
    """What became of one backend."""

    backend: str
    dist: str
    version: str
    stage: Stage
    reason: str
    fix: str = ""
    route: Route | None = None


@frozen(kw_only=True)
class Decision:
    """A request, the verdict on every backend, and the one chosen, if any."""

    request: Request
    model: str
    chosen: Verdict | None
    verdicts: tuple[Verdict, ...]

    def explain(self) -> str:
        """The verdicts as a plain table, the chosen one first."""
        asked = [f"device={self.request.device}", f"dtype={self.request.dtype or 'as stored'}"]
        if self.request.backend:
            asked.append(f"backend={self.request.backend}")
        if self.request.features:
            asked.append(f"features={','.join(self.request.features)}")
        lines = [f"{self.request.action} {self.model} ({', '.join(asked)})"]
        rows = [_row(verdict) for verdict in self.verdicts]
        if not rows:
            return "\n".join([*lines, "  no backend is installed"])
        widths = [max(len(row[i]) for row in rows) for i in range(3)]
        for row in rows:
            cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
            lines.append(f"  {'  '.join(cells)}  {row[3]}")
        return "\n".join([*lines, *self._unknown_name()])

    def _unknown_name(self) -> list[str]:
        """What to name instead of a backend that is not there, as sentence-transformers' onnx."""
        asked, names = self.request.backend, [verdict.backend for verdict in self.verdicts]
        if not asked or asked in names:
            return []
        near = [name for name in names if asked.lower() in name]
        advice = f"; did you mean backend={near[0]!r}?" if near else ""
        return [f"there is no backend called {asked!r}; installed: {', '.join(names)}{advice}"]

    def as_dict(self) -> dict[str, Any]:
        """The decision as plain values, for JSON."""
        return {
            "request": {
                "action": self.request.action,
                "device": self.request.device,
                "dtype": self.request.dtype,
                "backend": self.request.backend,
                "features": list(self.request.features),
            },
            "model": self.model,
            "chosen": self.chosen.backend if self.chosen else None,
            "verdicts": [_verdict_dict(verdict) for verdict in self.verdicts],
        }


def _row(verdict: Verdict) -> tuple[str, str, str, str]:
    word = {Stage.CHOSEN: "chosen", Stage.PASSED_OVER: "passed over"}.get(verdict.stage, "rejected")
    origin = " ".join(filter(None, (verdict.dist, verdict.version))) or "unknown distribution"
    why = verdict.reason
    if verdict.stage not in (Stage.CHOSEN, Stage.PASSED_OVER):
        why = f"{verdict.stage.value}: {why}"
    if verdict.fix:
        why += f"   fix: {verdict.fix}"
    return word, verdict.backend, origin, why


def _verdict_dict(verdict: Verdict) -> dict[str, Any]:
    route = verdict.route
    return {
        "backend": verdict.backend,
        "distribution": verdict.dist,
        "version": verdict.version,
        "stage": verdict.stage.value,
        "reason": verdict.reason,
        "fix": verdict.fix,
        "device": route.device if route else None,
        "dtype": route.dtype if route else None,
        "file": route.file if route else None,
    }
