"""A backend that quantises and passes, and faults in it."""

from __future__ import annotations

from tests.kit.fault import HEALTHY, Fault

__all__ = ["LAYERED", "QUANTISATION_FAULTS", "QUANTISER", "RECIPE_FAULTS"]

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

LAYERED = (
    HEALTHY
    + """
_STATIC = next(c for c in real.HOTBED.capabilities if "static_int8" in c.recipes)
HOTBED = evolve(
    HOTBED,
    capabilities=(
        evolve(_EMBED, dtypes=("float32", "int8"), profiles=("portable",)),
        evolve(_STATIC, profiles=("portable",)),
    ),
)
hotbed_layers = real.hotbed_layers
hotbed_quantize = real.hotbed_quantize
"""
)
"""A backend whose recipe takes layers and needs texts."""

RECIPE_FAULTS = (
    Fault(
        "layers are promised and not named",
        "test_layers_are_named",
        """
@hookimpl
def hotbed_layers(artifact):
    return ()
""",
    ),
    Fault(
        "the plan for layers is not read",
        "test_layers_that_are_left_out_stay_float32",
        _AGAIN.format(
            body="return _honest(artifact, evolve(recipe, options={}), batches, out)",
        ),
    ),
    Fault(
        "a plan for another model is made do with",
        "test_a_layer_that_is_not_there_is_refused",
        _AGAIN.format(
            body="""names = {layer.name for layer in hotbed_layers(artifact)}
    options = dict(recipe.options)
    layers = options.get("layers", {})
    options["layers"] = {name: how for name, how in layers.items() if name in names}
    return _honest(artifact, evolve(recipe, options=options), batches, out)"""
        ),
    ),
    Fault(
        "ranges are made up",
        "test_texts_that_are_needed_are_asked_for",
        _AGAIN.format(
            body="""ones = np.ones((1, 4), np.int64)
    made_up = TokenBatch(input_ids=ones, attention_mask=ones, pooling_mask=ones)
    return _honest(artifact, recipe, batches or (made_up,), out)"""
        ),
    ),
    Fault(
        "chance decides",
        "test_the_same_input_gives_the_same_vectors",
        _AGAIN.format(
            body="""smoothing = float(np.random.default_rng().uniform())
    options = {**recipe.options, "smoothing": smoothing}
    return _honest(artifact, evolve(recipe, options=options), batches, out)"""
        ),
    ),
    Fault(
        "ranges of whole batches are kept quiet",
        "test_the_result_says_what_its_vectors_depend_on",
        _AGAIN.format(
            body="""dynamic = evolve(recipe, name="dynamic_int8", stem="model_int8")
    made = _honest(artifact, dynamic, batches, out)
    return tuple(evolve(variant, storage="int8") for variant in made)

@hookimpl
def hotbed_load(artifact, options):
    return evolve(real.hotbed_load(artifact, options), batch_dependent=False)"""
        ),
    ),
)
