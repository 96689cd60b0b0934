"""Faults in the numbers, and in what is handed out."""

from __future__ import annotations

from tests.kit.fault import Fault

__all__ = ["VECTOR_FAULTS"]

_EMBED = """
@hookimpl
def hotbed_embed(loaded, batch, outputs, in_flight):
    results = real.hotbed_embed(loaded, batch, outputs, in_flight)
    {change}
    return results
"""


def _changed(change: str) -> str:
    return _EMBED.format(change=change.replace("\n", "\n    "))


_EACH = "for name in results:\n    results[name] = "

VECTOR_FAULTS = (
    Fault(
        "rows come in another order",
        "test_equals_the_numpy_reference",
        _changed(_EACH + "np.ascontiguousarray(results[name][::-1])"),
    ),
    Fault(
        "numbers are off by a thousandth",
        "test_equals_the_numpy_reference",
        _changed(
            _EACH + "results[name] + np.float32(1e-3) * (np.arange(results[name].shape[-1]) == 3)"
        ),
    ),
    Fault(
        "bfloat16 is passed off as float32",
        "test_equals_the_numpy_reference",
        _changed(_EACH + "(results[name].view(np.uint32) & 0xFFFF0000).view(np.float32)"),
    ),
    Fault(
        "the attention mask is ignored",
        "test_padding_does_not_matter",
        """
@hookimpl
def hotbed_embed(loaded, batch, outputs, in_flight):
    ones = np.ones_like(batch.attention_mask)
    blind = TokenBatch(input_ids=batch.input_ids, attention_mask=ones, pooling_mask=ones)
    return real.hotbed_embed(loaded, blind, outputs, in_flight)
""",
    ),
    Fault(
        "float64 is handed out",
        "test_every_output_that_is_offered_is_given",
        _changed(_EACH + "results[name].astype(np.float64)"),
    ),
    Fault(
        "a transposed view is handed out",
        "test_every_output_that_is_offered_is_given",
        _changed(_EACH + "np.asfortranarray(results[name])"),
    ),
    Fault(
        "a buffer is used again",
        "test_results_stay_when_the_next_batch_runs",
        "_buffers = {}\n"
        + _changed(
            "for name, value in results.items():\n"
            "    buffer = _buffers.setdefault((name, value.shape), np.empty_like(value))\n"
            "    buffer[...] = value\n"
            "    results[name] = buffer"
        ),
    ),
    Fault(
        "the caller's batch is written to",
        "test_the_batch_is_left_as_it_was",
        _changed("batch.input_ids[batch.attention_mask == 0] = 0"),
    ),
    Fault(
        "noise is added",
        "test_the_same_call_gives_the_same_bytes",
        _changed(
            _EACH + "results[name] + np.float32(1e-6) * "
            "np.random.rand(*results[name].shape).astype(np.float32)"
        ),
    ),
    Fault(
        "rows depend on their batch",
        "test_a_row_does_not_depend_on_its_batch",
        _changed(_EACH + "results[name] - np.float32(0.1) * results[name].mean(axis=0)"),
    ),
    Fault(
        "short texts give numbers that are not finite",
        "test_empty_and_one_token_texts",
        _changed(
            "results = {n: v.copy() for n, v in results.items()}\n"
            "for value in results.values():\n"
            "    value[batch.attention_mask.sum(axis=1) < 3] = np.nan"
        ),
    ),
    Fault(
        "outputs are given whether or not they are asked for",
        "test_outputs_are_given_alone",
        """
@hookimpl
def hotbed_embed(loaded, batch, outputs, in_flight):
    if len(outputs) < len(loaded.outputs):
        batch = TokenBatch(
            input_ids=batch.input_ids,
            attention_mask=np.ones_like(batch.attention_mask),
            pooling_mask=np.ones_like(batch.attention_mask),
        )
    return real.hotbed_embed(loaded, batch, outputs, in_flight)
""",
    ),
    Fault(
        "the device is not the one that runs",
        "test_the_backend_asked_for_is_the_one_used",
        "@hookimpl\ndef hotbed_load(artifact, options):\n"
        "    return evolve(real.hotbed_load(artifact, options), device='abacus')\n",
    ),
    Fault(
        "counts in Loaded are of no use",
        "test_the_facts_of_loaded_are_usable",
        "@hookimpl\ndef hotbed_load(artifact, options):\n"
        "    return evolve(real.hotbed_load(artifact, options), provider='')\n",
    ),
    Fault(
        "the pooling mask is claimed and not used",
        "test_a_prompt_left_out_of_pooling",
        """
@hookimpl
def hotbed_embed(loaded, batch, outputs, in_flight):
    same = evolve(batch, pooling_mask=batch.attention_mask)
    return real.hotbed_embed(loaded, same, outputs, in_flight)

@hookimpl
def hotbed_load(artifact, options):
    return evolve(real.hotbed_load(artifact, options), takes_pooling_mask=True)
""",
    ),
    Fault(
        "padding is counted as tokens of a lone row",
        "test_one_token_and_all_but_one_padding",
        """
@hookimpl
def hotbed_embed(loaded, batch, outputs, in_flight):
    if len(batch.input_ids) == 1:
        batch = evolve(batch, attention_mask=np.ones_like(batch.attention_mask))
    return real.hotbed_embed(loaded, batch, outputs, in_flight)
""",
    ),
)
