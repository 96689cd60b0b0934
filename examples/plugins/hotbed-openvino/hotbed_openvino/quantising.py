"""8-bit integers by NNCF: weights alone, or weights and calibrated activations."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from hotbed.backends import Artifact, Layer, Recipe, TokenBatch, Variant
from hotbed.errors import BackendError, ConversionError, HotbedError, UsageError
from hotbed_openvino.graphs import feeds, graph_inputs, read

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["linear_layers", "quantise"]

_STEMS = {
    "static_int8": "openvino_model_qint8_quantized",
    "int8_weights": "openvino_model_qint8_weights",
}

_SMOOTHING = 0.7
"""How much of the activations' range SmoothQuant moves into the weights.

On texts like those of the calibration, 0.7 to 0.95 are alike (all-MiniLM-L6-v2: mean cosine 0.998).
On texts in other scripts, more fits the calibration too closely: 0.9967 at 0.7, 0.9914 at NNCF's
own 0.95, and 0.9906 without SmoothQuant.
"""


def quantise(
    artifact: Artifact, recipe: Recipe, batches: Sequence[TokenBatch], out: Path
) -> tuple[Variant, ...]:
    """Write ``.xml`` and ``.bin``.

    Raises:
        UsageError: The recipe has other options, or wants texts and there are none.
        BackendError: NNCF is not installed.
        ConversionError: NNCF could not do it.
    """
    left_out = _left_out(recipe)
    if recipe.name == "static_int8" and not batches:
        raise UsageError("static_int8 learns the ranges of activations from texts; give some")
    import openvino

    model = read(openvino.Core(), artifact)
    inputs = graph_inputs(artifact.path, model)
    with _quiet_nncf() as nncf:
        try:
            if recipe.name == "int8_weights":
                model = nncf.compress_weights(model, mode=nncf.CompressWeightsMode.INT8_ASYM)
            else:
                model = _calibrated(nncf, model, inputs, batches, left_out)
        except HotbedError:
            raise
        except Exception as error:  # NNCF's have no base class of their own
            raise ConversionError(f"{artifact.path} was not quantised by NNCF: {error}") from error
    file = f"{recipe.stem or _STEMS[recipe.name]}.xml"
    openvino.save_model(model, out / file, compress_to_fp16=False)
    return (Variant(format="openvino", file=file, storage="int8"),)


@contextlib.contextmanager
def _quiet_nncf() -> Iterator[Any]:
    """NNCF, its progress bars and notes kept from standard output, which may be somebody's data."""
    # Without this, at its first import, NNCF reports its use to its makers.
    os.environ.setdefault("NNCF_CI", "1")
    with contextlib.redirect_stdout(sys.stderr):
        try:
            import nncf
        except ModuleNotFoundError as error:
            fix = 'pip install "hotbed-openvino[nncf]"'
            raise BackendError(f"NNCF, which quantises, is not installed; fix: {fix}") from error
        log = logging.getLogger("nncf")
        before = log.level
        try:
            log.setLevel(logging.WARNING)
            yield nncf
        finally:
            log.setLevel(before)


def _calibrated(
    nncf: Any,
    model: Any,
    inputs: dict[str, Any],
    batches: Sequence[TokenBatch],
    left_out: set[str],
) -> Any:
    """Linear layers in integers, less those left out, and nothing else.

    The products of attention and pooling have no weights: in integers they were slower, beside
    bfloat16, and no nearer.
    """
    from nncf.quantization.advanced_parameters import AdvancedSmoothQuantParameters

    alphas = AdvancedSmoothQuantParameters(matmul=_SMOOTHING)
    return nncf.quantize(
        model,
        nncf.Dataset(batches, lambda batch: feeds(inputs, batch)),
        model_type=nncf.ModelType.TRANSFORMER,
        subset_size=len(batches),
        ignored_scope=nncf.IgnoredScope(names=_ignored(model, left_out)),
        advanced_parameters=nncf.AdvancedQuantizationParameters(smooth_quant_alphas=alphas),
    )


def linear_layers(model: Any) -> list[tuple[Layer, Any]]:
    """The products of an activation by a weight: as the search knows them, and OpenVINO's node."""
    found = []
    for node in model.get_ops():
        if node.get_type_name() != "MatMul":
            continue
        weight = _weight(node.input_value(1).get_node())
        if weight is None or len(weight.shape) != 2:
            continue
        turned = node.get_attributes()["transpose_b"]
        inputs, outputs = reversed(weight.shape) if turned else weight.shape
        name = weight.get_friendly_name().removesuffix(".kernel")
        found.append((Layer(name=name, inputs=inputs, outputs=outputs), node))
    return found


def _left_out(recipe: Recipe) -> set[str]:
    """The layers that stay floats, from the recipe's options."""
    options = dict(recipe.options)
    layers = options.pop("layers", {}) if recipe.name == "static_int8" else {}
    known = {"float32", recipe.name}
    if options or not isinstance(layers, Mapping) or not known.issuperset(layers.values()):
        takes = "layers, each float32 or static_int8" if recipe.name == "static_int8" else "none"
        raise UsageError(
            f"{recipe.name} was given {dict(recipe.options)}; options it takes: {takes}"
        )
    return {name for name, how in layers.items() if how == "float32"}


def _ignored(model: Any, left_out: set[str]) -> list[str]:
    """NNCF's names of the products of activations by activations, and of the layers left out."""
    layers = linear_layers(model)
    if unknown := left_out - {layer.name for layer, _ in layers}:
        raise UsageError(f"the model has no layer {', '.join(sorted(unknown)[:4])}")
    rounded = {node.get_friendly_name() for layer, node in layers if layer.name not in left_out}
    products = (
        node.get_friendly_name() for node in model.get_ops() if node.get_type_name() == "MatMul"
    )
    return [name for name in products if name not in rounded]


def _weight(node: Any) -> Any:
    """The constant behind a value, or None."""
    while node.get_input_size() == 1:  # turned or widened
        node = node.input_value(0).get_node()
    return node if node.get_type_name() == "Constant" else None
