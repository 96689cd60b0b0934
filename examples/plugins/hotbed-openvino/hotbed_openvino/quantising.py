"""8-bit integers by NNCF: weights alone, or weights and calibrated activations."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from hotbed.backends import Artifact, Recipe, TokenBatch, Variant
from hotbed.errors import BackendError, ConversionError, UsageError
from hotbed_openvino.graphs import feeds, graph_inputs, read

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["quantise"]

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
        UsageError: The recipe has options, or wants texts and there are none.
        BackendError: NNCF is not installed.
        ConversionError: NNCF could not do it.
    """
    if recipe.options:
        raise UsageError(f"{recipe.name} takes no options, and was given {dict(recipe.options)}")
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
                model = _calibrated(nncf, model, inputs, batches)
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
    nncf: Any, model: Any, inputs: dict[str, Any], batches: Sequence[TokenBatch]
) -> Any:
    """Linear layers in integers, and nothing else.

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
        ignored_scope=nncf.IgnoredScope(names=_without_weights(model)),
        advanced_parameters=nncf.AdvancedQuantizationParameters(smooth_quant_alphas=alphas),
    )


def _without_weights(model: Any) -> list[str]:
    """The products of activations by activations."""
    products = (node for node in model.get_ops() if node.get_type_name() == "MatMul")
    return [
        node.get_friendly_name()
        for node in products
        if not any(_is_weight(port.get_source_output().get_node()) for port in node.inputs())
    ]


def _is_weight(node: Any) -> bool:
    while node.get_input_size() == 1:  # turned or widened
        node = node.input_value(0).get_node()
    return bool(node.get_type_name() == "Constant")
