"""Make a model that a case can run: as it is, converted, or quantised."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hotbed.backends.decision import Request
from hotbed.backends.values import Artifact, ConvertTarget, ProbeRequest, Recipe
from hotbed.conversion import convert_into, quantize_into
from hotbed.loading import House, default_house
from hotbed.models.folder import ModelFolder
from hotbed.testing.cases import Case
from hotbed.testing.gaps import Gap
from hotbed.testing.grid import BITS, on_the_grid, write_quantised
from hotbed.testing.tiny import TEXTS, bert_config, bert_tensors, build_tiny

__all__ = ["KINDS", "model_for", "onnx_folder", "read"]

FLOATS = ("float32", "float16", "bfloat16")


def _halves() -> dict[str, Any]:
    """Weights as they are stored in 16 bits."""
    return {name: value.astype("float16") for name, value in bert_tensors(bert_config()).items()}


KINDS: dict[str, dict[str, Any]] = {
    "mean": {},
    "cls": {"pooling": {"pooling_mode_cls_token": True}},
    "joined": {"pooling": {"pooling_mode": ["max", "lasttoken", "weightedmean"]}},
    "dense": {"heads": ("Dense", "LayerNorm", "Normalize")},
    "halves": {"tensors": _halves()},
    "left": {"padding_side": "left", "pooling": {"pooling_mode": "lasttoken"}},
    "prompted": {
        "pooling": {"pooling_mode_mean_tokens": True, "include_prompt": False},
        "prompts": {"query": "query : "},
    },
}
"""The kit's models: everything by which graphs differ, on one small BERT."""

_made: dict[tuple[Path, str, str, str], Path] = {}


def model_for(case: Case, kind: str, base: Path) -> Path:
    """Give a folder that the case's backend can open with the case's dtype, made once a run.

    Args:
        case: What is to be run.
        kind: One of ``KINDS``.
        base: A folder for the whole run.
    """
    key = (base, case.backend, str(case), kind)
    if key not in _made:
        place = base / "hotbed-kit-models" / f"{case.backend}-{case}-{kind}"
        _made[key] = _make(case, kind, place)
    return _made[key]


def read(house: House, folder: Path) -> ModelFolder:
    """Read a folder with the formats that installed backends bring."""
    return house.read(house.locate(str(folder)))


def _make(case: Case, kind: str, place: Path) -> Path:
    house = default_house()
    plain = _plain(place / "plain", kind, case.dtype)
    if _serves(house, case, plain):
        return plain
    if case.format == "onnx" and case.dtype in BITS:
        stem = {"q8": "quantized"}.get(case.dtype, case.dtype)
        source = onnx_folder(house, plain, place / "portable") / "onnx" / "model.onnx"
        write_quantised(source, plain / "onnx" / f"model_{stem}.onnx", BITS[case.dtype])
        if _serves(house, case, plain):
            return plain
    found = _converted(house, case, plain, place) or _quantised(house, case, plain, place)
    if found is not None and _serves(house, case, found):
        return found
    raise Gap(f"nothing installed makes a model in {case.format} for {case.dtype}")


def _plain(place: Path, kind: str, dtype: str) -> Path:
    """A safetensors folder; for integer types, with weights that integers hold exactly."""
    options = dict(KINDS[kind])
    if dtype not in FLOATS:
        config = bert_config(intermediate_size=64)  # whole blocks of 32
        drawn = bert_tensors(config).items()
        tensors = {name: on_the_grid(value, BITS.get(dtype, 8)) for name, value in drawn}
        options |= {"config": {"intermediate_size": 64}, "tensors": tensors}
    return build_tiny(place, **options)


def _serves(house: House, case: Case, folder: Path) -> bool:
    request = Request(backend=case.backend, device=case.device, dtype=case.dtype)
    house.backends.get(case.backend)
    chosen = house.decide(request, read(house, folder)).chosen
    if chosen is None or chosen.route is None:
        return False
    return chosen.route.capability == case.capability and _format(chosen.route) == case.format


def _format(route: Any) -> str:
    return str(route.to if route.converter else route.variant.format)


def onnx_folder(house: House, plain: Path, out: Path) -> Path:
    """The folder as portable ONNX, by whatever installed backend writes that."""
    made = _convert(house, plain, ConvertTarget(), out)
    if made is None:
        raise Gap('nothing installed converts to ONNX; fix: pip install "hotbed[convert]"')
    return made


def _convert(house: House, plain: Path, target: ConvertTarget, out: Path) -> Path | None:
    folder = read(house, plain)
    for found in house.backends.found():
        for capability in found.manifest.capabilities if found.usable and found.manifest else ():
            writes = (capability.action, capability.to) == ("convert", target.format)
            if not writes or target.profile not in capability.profiles:
                continue
            decision = house.decide(Request(action="convert", backend=found.name), folder)
            if decision.chosen is not None:
                return convert_into(
                    house.engine(found.name), folder, target, out, house.gate()
                ).path
    return None


def _converted(house: House, case: Case, plain: Path, place: Path) -> Path | None:
    if case.dtype not in FLOATS:
        return None
    target = ConvertTarget(format=case.format, profile=case.capability.profiles[0])
    return _convert(house, plain, target, place / "converted")


def _quantised(house: House, case: Case, plain: Path, place: Path) -> Path | None:
    engine = house.engine(case.backend)
    for capability in engine.manifest.capabilities:
        if capability.action != "quantize" or case.dtype not in capability.dtypes:
            continue
        if capability.to != case.format:
            continue
        request = ProbeRequest(action="quantize", device=case.device, dtype=case.dtype)
        answer = engine.probe(request)
        if not answer.ok:
            raise Gap(f"{case.backend} cannot quantise here: {answer.reason}")
        source = artifact_of(house, capability.formats, plain, place)
        recipe = Recipe(name=capability.recipes[0])
        texts = [text for text in TEXTS if text]
        folder = read(house, source.folder)
        return quantize_into(
            engine, source, folder, recipe, texts, place / "quantised", house.gate()
        ).path
    return None


def artifact_of(house: House, formats: tuple[str, ...], plain: Path, place: Path) -> Artifact:
    """A float32 file of a model in one of the formats."""
    folder = read(house, plain)
    if "safetensors" not in formats:
        out = place / "source"
        folder = read(house, out if out.exists() else onnx_folder(house, plain, out))
    for variant in folder.variants:
        if variant.format in formats:
            return Artifact(folder=folder.path, path=folder.path / variant.file, variant=variant)
    raise Gap(f"nothing installed makes a model in {', '.join(formats)}")
