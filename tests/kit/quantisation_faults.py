"""A backend that quantises and passes, and faults in it."""

from __future__ import annotations

from tests.kit.fault import HEALTHY, Fault

__all__ = ["QUANTISATION_FAULTS", "QUANTISER"]

QUANTISER = (
    HEALTHY
    + '''
HOTBED = evolve(
    HOTBED,
    capabilities=(
        evolve(_EMBED, dtypes=("float32", "int8"), profiles=("portable",)),
        Capability(
            action="quantize", formats="onnx", to="onnx", dtypes="int8", recipes="rounded"
        ),
    ),
)

@hookimpl
def hotbed_quantize(artifact, recipe, batches, out):
    """Round every weight to 8 bits, whether or not it lies on the grid."""
    import onnx
    from hotbed.backends import Variant
    from hotbed.errors import CorruptFileError
    from hotbed.testing import grid
    try:
        model = onnx.load(artifact.path)
    except Exception as error:
        raise CorruptFileError(f"{artifact.path} cannot be read: {error}") from error
    for held in model.graph.initializer:
        value = onnx.numpy_helper.to_array(held)
        if value.ndim == 2 and value.dtype == np.float32:
            rounded = np.ascontiguousarray(grid.on_the_grid(value.T, 8).T)
            held.CopyFrom(onnx.numpy_helper.from_array(rounded, held.name))
    source = out / "rounded.onnx"
    onnx.save(model, source)
    grid.write_quantised(source, out / "model_int8.onnx", 8)
    source.unlink()
    return (Variant(format="onnx", file="model_int8.onnx", storage="int8"),)
'''
)
"""A backend that quantises, simply."""

_AGAIN = """
_honest = hotbed_quantize

@hookimpl
def hotbed_quantize(artifact, recipe, batches, out):
    {body}
"""

QUANTISATION_FAULTS = (
    Fault(
        "the result is far off",
        "test_the_result_is_near_enough",
        _AGAIN.format(
            body="""made = _honest(artifact, recipe, batches, out)
    import onnx
    model = onnx.load(out / "model_int8.onnx")
    for held in model.graph.initializer:
        if held.name.endswith("_scale"):
            value = onnx.numpy_helper.to_array(held).copy()
            value[::2] *= 2
            held.CopyFrom(onnx.numpy_helper.from_array(value, held.name))
    onnx.save(model, out / "model_int8.onnx")
    return made"""
        ),
    ),
    Fault(
        "another file is named than was asked for",
        "test_the_result_is_near_enough",
        _AGAIN.format(
            body="""from hotbed.backends import Variant
    _honest(artifact, recipe, batches, out)
    (out / "model_int8.onnx").rename(out / "model_q5.onnx")
    return (Variant(format="onnx", file="model_q5.onnx", storage="int8"),)"""
        ),
    ),
    Fault(
        "the source is written to",
        "test_the_source_stays_as_it_was",
        _AGAIN.format(
            body="""made = _honest(artifact, recipe, batches, out)
    with artifact.path.open("ab") as file:
        file.write(b" ")
    return made"""
        ),
    ),
    Fault(
        "a damaged source is made do with",
        "test_a_damaged_source_is_refused",
        _AGAIN.format(
            body="""from hotbed.backends import Variant
    (out / "model_int8.onnx").write_bytes(artifact.path.read_bytes())
    return (Variant(format="onnx", file="model_int8.onnx", storage="int8"),)"""
        ),
    ),
)
