"""Every way to quantise, as one table: what is asked for, what is done, what the file is called.

Read by manifests, so nothing heavy is imported here. The file names are the hub's, as
Transformers.js reads them; ``w8`` is hotbed's own, because the hub has no name for it.
"""

from __future__ import annotations

from attrs import frozen

__all__ = ["BY_NAME", "FLOAT32", "RECIPES", "Way", "file_stem"]

FLOAT32 = "float32"
"""What a layer is when it is left out."""


@frozen(kw_only=True)
class Way:
    """A row of the table.

    Attributes:
        recipe: The recipe's name.
        dtype: What ``hotbed.load`` is asked for to get the file, and what its weights are.
        suffix: What the file name ends with.
        weights: Bits of a weight, without its scales.
        what: What is done, in a line.
        cpu: What a CPU needs to be fast with it.
        calibrated: Whether it learns the ranges of activations from texts.
        mixes: Whether single layers can be left out, or take another recipe that mixes.
        batch_dependent: Whether a text's vector depends on the texts beside it.
    """

    recipe: str
    dtype: str
    suffix: str
    weights: int
    what: str
    cpu: str
    calibrated: bool = False
    mixes: bool = True
    batch_dependent: bool = False


RECIPES = (
    Way(
        recipe="static_int8",
        dtype="int8",
        suffix="int8",
        weights=8,
        what="linear layers in 8-bit integers; ranges of activations learned from texts, "
        "outliers smoothed into the weights",
        cpu="VNNI (x86) or I8MM (ARM)",
        calibrated=True,
    ),
    Way(
        recipe="dynamic_int8",
        dtype="q8",
        suffix="quantized",
        weights=8,
        what="linear layers in 8-bit integers; ranges of activations taken from each batch",
        cpu="VNNI (x86) or I8MM (ARM)",
        batch_dependent=True,
    ),
    Way(
        recipe="weights_8bit",
        dtype="w8",
        suffix="w8",
        weights=8,
        what="weights in blocks of 32 with a scale each, 8 bits; activations rounded row by row",
        cpu="AVX2 or NEON; VNNI helps",
    ),
    Way(
        recipe="weights_4bit",
        dtype="q4",
        suffix="q4",
        weights=4,
        what="weights in blocks of 32 with a scale each, 4 bits; activations rounded row by row",
        cpu="AVX2 or NEON; VNNI helps",
    ),
    Way(
        recipe="float16",
        dtype="float16",
        suffix="fp16",
        weights=16,
        what="half-precision floats inside; inputs, outputs and pooling stay float32",
        cpu="any, at the speed of float32: for size, GPUs and browsers",
        mixes=False,
    ),
)

BY_NAME = {way.recipe: way for way in RECIPES}


def file_stem(way: Way, profile: str) -> str:
    """The name of the file, less its ending.

    >>> file_stem(BY_NAME["static_int8"], "portable"), file_stem(BY_NAME["static_int8"], "cpu")
    ('model_int8', 'model_cpu_int8')
    """
    shaped = f"_{profile}" if profile and profile != "portable" else ""
    return f"model{shaped}_{way.suffix}"
