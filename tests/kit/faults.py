"""Backends with one fault each, made of onnx_cpu, and the test of the kit that must find it."""

from __future__ import annotations

from attrs import frozen

__all__ = ["FAULTS", "HEALTHY", "Fault"]


@frozen
class Fault:
    """A fault.

    Attributes:
        name: What is wrong.
        found_by: The test that has to fail.
        source: What is put behind the healthy module.
        heavy: Whether the heavy set finds it.
    """

    name: str
    found_by: str
    source: str
    heavy: bool = False


HEALTHY = '''
"""onnx_cpu under another name."""
import os
import threading
import time

import numpy as np
from attrs import evolve

import hotbed_onnx_cpu as real
from hotbed.backends import Capability, TokenBatch, hookimpl

_EMBED, _CONVERT = real.HOTBED.capabilities
HOTBED = evolve(
    real.HOTBED,
    name="patient",
    capabilities=(evolve(_EMBED, dtypes=("float32",), profiles=("portable",)),),
)
hotbed_probe = real.hotbed_probe
hotbed_load = real.hotbed_load
hotbed_embed = real.hotbed_embed
hotbed_close = real.hotbed_close
'''

_EMBED = '''
@hookimpl
def hotbed_embed(loaded, batch, outputs, in_flight):
    results = real.hotbed_embed(loaded, batch, outputs, in_flight)
    {change}
    return results
'''


def _changed(change: str) -> str:
    return _EMBED.format(change=change.replace("\n", "\n    "))


_EACH = "for name in results:\n    results[name] = "

FAULTS = (
    Fault(
        "rows come in another order",
        "test_equals_the_numpy_reference",
        _changed(_EACH + "np.ascontiguousarray(results[name][::-1])"),
    ),
    Fault(
        "numbers are off by a thousandth",
        "test_equals_the_numpy_reference",
        _changed(_EACH + "results[name] + np.float32(1e-3) * (np.arange(results[name].shape[-1]) == 3)"),
    ),
    Fault(
        "bfloat16 is passed off as float32",
        "test_equals_the_numpy_reference",
        _changed(_EACH + "(results[name].view(np.uint32) & 0xFFFF0000).view(np.float32)"),
    ),
    Fault(
        "the attention mask is ignored",
        "test_padding_does_not_matter",
        '''
@hookimpl
def hotbed_embed(loaded, batch, outputs, in_flight):
    ones = np.ones_like(batch.attention_mask)
    blind = TokenBatch(input_ids=batch.input_ids, attention_mask=ones, pooling_mask=ones)
    return real.hotbed_embed(loaded, blind, outputs, in_flight)
''',
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
        _changed(_EACH + "results[name] * (1 + np.float32(1e-6) * np.random.rand())"),
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
        '''
@hookimpl
def hotbed_embed(loaded, batch, outputs, in_flight):
    if len(outputs) < len(loaded.outputs):
        batch = TokenBatch(
            input_ids=batch.input_ids,
            attention_mask=np.ones_like(batch.attention_mask),
            pooling_mask=np.ones_like(batch.attention_mask),
        )
    return real.hotbed_embed(loaded, batch, outputs, in_flight)
''',
    ),
    Fault(
        "a runtime is imported with the module",
        "test_the_module_is_light",
        "import onnxruntime\n",
    ),
    Fault(
        "an argument has a default",
        "test_hook_arguments_have_no_defaults",
        '''
@hookimpl
def hotbed_embed(loaded, batch, outputs, in_flight, extra=1):
    return real.hotbed_embed(loaded, batch, outputs, in_flight)
''',
    ),
    Fault(
        "a hook is not marked",
        "test_every_hook_function_is_marked",
        "def hotbed_pool(token_embeddings):\n    return None\n",
    ),
    Fault(
        "an argument has another name",
        "test_the_hooks_fit_their_specs",
        "@hookimpl\ndef hotbed_close(handle):\n    pass\n",
    ),
    Fault(
        "an action is declared and not implemented",
        "test_what_is_declared_is_implemented",
        "HOTBED = evolve(HOTBED, capabilities=(*HOTBED.capabilities, _CONVERT))\n",
    ),
    Fault(
        "an action is implemented and not declared",
        "test_what_is_declared_is_implemented",
        "hotbed_convert = real.hotbed_convert\n",
    ),
    Fault(
        "a format is declared that nobody knows",
        "test_the_declarations_are_whole",
        "HOTBED = evolve(HOTBED, capabilities=(*HOTBED.capabilities, "
        "Capability(action='embed', formats='mystery')))\n",
    ),
    Fault(
        "the manifest has another name",
        "test_the_manifest_has_the_entry_points_name",
        "HOTBED = evolve(HOTBED, name='doctor')\n",
    ),
    Fault(
        "the probe raises",
        "test_the_probe_answers",
        "@hookimpl\ndef hotbed_probe(request):\n    raise RuntimeError('no driver')\n",
    ),
    Fault(
        "a module that is needed is absent, and the probe says yes",
        "test_the_needs_are_enough",
        "HOTBED = evolve(HOTBED, needs=('there_is_no_such_module',))\n",
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
        '''
@hookimpl
def hotbed_embed(loaded, batch, outputs, in_flight):
    same = evolve(batch, pooling_mask=batch.attention_mask)
    return real.hotbed_embed(loaded, same, outputs, in_flight)
''',
    ),
    Fault(
        "padding is counted as tokens of a lone row",
        "test_one_token_and_all_but_one_padding",
        '''
@hookimpl
def hotbed_embed(loaded, batch, outputs, in_flight):
    if len(batch.input_ids) == 1:
        batch = evolve(batch, attention_mask=np.ones_like(batch.attention_mask))
    return real.hotbed_embed(loaded, batch, outputs, in_flight)
''',
    ),
    Fault(
        "state is shared between threads",
        "test_eight_threads_give_the_single_threaded_result",
        '''
_now = {}

@hookimpl
def hotbed_embed(loaded, batch, outputs, in_flight):
    _now["batch"] = batch
    time.sleep(0.002)
    mine = _now["batch"] if _now["batch"].input_ids.shape[0] == batch.input_ids.shape[0] else batch
    other = evolve(mine, input_ids=np.roll(mine.input_ids, 1)) if mine is not batch else mine
    return real.hotbed_embed(loaded, other, outputs, in_flight)
''',
    ),
    Fault(
        "calls in flight disturb one another",
        "test_batches_in_flight",
        '''
_busy = threading.Lock()

@hookimpl
def hotbed_embed(loaded, batch, outputs, in_flight):
    if not _busy.acquire(blocking=False):
        raise RuntimeError("busy")
    try:
        time.sleep(0.002)
        return real.hotbed_embed(loaded, batch, outputs, in_flight)
    finally:
        _busy.release()
''',
    ),
    Fault(
        "closing one model closes another of the same file",
        "test_two_models_at_once",
        '''
_open = {}

@hookimpl
def hotbed_load(artifact, options):
    if artifact.path not in _open:
        _open[artifact.path] = real.hotbed_load(artifact, options)
    return _open[artifact.path]

@hookimpl
def hotbed_close(loaded):
    for path, held in list(_open.items()):
        if held.handle is loaded.handle:
            del _open[path]
    real.hotbed_close(loaded)
''',
    ),
    Fault(
        "a closed model cannot be opened again",
        "test_close_twice_and_load_again",
        '''
_seen = set()

@hookimpl
def hotbed_load(artifact, options):
    if artifact.path in _seen:
        raise RuntimeError("device or resource busy")
    _seen.add(artifact.path)
    return real.hotbed_load(artifact, options)
''',
    ),
    Fault(
        "only the process that began can load",
        "test_a_spawned_process_opens_it_again",
        '''
os.environ.setdefault("PATIENTS_FIRST_PROCESS", str(os.getpid()))

@hookimpl
def hotbed_load(artifact, options):
    if os.environ["PATIENTS_FIRST_PROCESS"] != str(os.getpid()):
        raise RuntimeError("not the first process")
    return real.hotbed_load(artifact, options)
''',
    ),
    Fault(
        "a damaged file is loaded",
        "test_damaged_files_are_refused",
        '''
_last = None

@hookimpl
def hotbed_load(artifact, options):
    try:
        return real.hotbed_load(artifact, options)
    except Exception:
        from hotbed.backends import Loaded
        return Loaded(handle=None, device="cpu", provider="?", dtype="float32",
                      outputs=("sentence_embedding",), dimension=32)
''',
    ),
    Fault(
        "a damaged file kills the process",
        "test_damaged_files_are_refused",
        '''
@hookimpl
def hotbed_load(artifact, options):
    if b"not a model" in artifact.path.read_bytes():
        os.abort()
    return real.hotbed_load(artifact, options)
''',
    ),
    Fault(
        "sessions are never let go",
        "test_loads_and_closes_leave_nothing",
        '''
_kept = []

@hookimpl
def hotbed_load(artifact, options):
    loaded = real.hotbed_load(artifact, options)
    _kept.append((loaded, loaded.handle.session(1)))
    return loaded
''',
        heavy=True,
    ),
    Fault(
        "the conversion loses a layer's bias",
        "test_a_round_trip_keeps_the_vectors",
        '''
HOTBED = evolve(HOTBED, capabilities=(*HOTBED.capabilities, evolve(_CONVERT, profiles=("portable",))))

@hookimpl
def hotbed_convert(folder, target, out):
    import shutil
    from safetensors.numpy import load_file, save_file
    copy = out.parent / "copy"
    shutil.copytree(folder, copy)
    tensors = load_file(copy / "model.safetensors")
    tensors["encoder.layer.0.output.dense.bias"] *= 0
    save_file(tensors, copy / "model.safetensors")
    try:
        return real.hotbed_convert(copy, target, out)
    finally:
        shutil.rmtree(copy)
''',
    ),
    Fault(
        "the conversion writes into its source",
        "test_the_source_stays_as_it_was",
        '''
HOTBED = evolve(HOTBED, capabilities=(*HOTBED.capabilities, evolve(_CONVERT, profiles=("portable",))))

@hookimpl
def hotbed_convert(folder, target, out):
    (folder / "patient.log").write_text("was here")
    return real.hotbed_convert(folder, target, out)
''',
    ),
    Fault(
        "the conversion makes do with damaged weights",
        "test_damaged_weights_leave_nothing",
        '''
HOTBED = evolve(HOTBED, capabilities=(*HOTBED.capabilities, evolve(_CONVERT, profiles=("portable",))))

@hookimpl
def hotbed_convert(folder, target, out):
    from hotbed.backends import Variant
    try:
        return real.hotbed_convert(folder, target, out)
    except Exception:
        (out / "model.onnx").write_bytes(b"")
        return (Variant(format="onnx", file="model.onnx"),)
''',
    ),
    Fault(
        "the conversion takes any architecture for BERT",
        "test_an_unknown_architecture_is_refused",
        '''
HOTBED = evolve(
    HOTBED,
    capabilities=(*HOTBED.capabilities, evolve(_CONVERT, profiles=("portable",), families=())),
)

@hookimpl
def hotbed_convert(folder, target, out):
    config = folder / "config.json"
    text = config.read_text()
    config.write_text(text.replace("abacus", "bert"))
    try:
        return real.hotbed_convert(folder, target, out)
    finally:
        config.write_text(text)
''',
    ),
)
