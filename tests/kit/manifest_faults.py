"""Faults that show before a model is opened."""

from __future__ import annotations

from tests.kit.fault import Fault

__all__ = ["MANIFEST_FAULTS"]

MANIFEST_FAULTS = (
    Fault(
        "a runtime is imported with the module",
        "test_the_module_is_light",
        "import onnxruntime\n",
    ),
    Fault(
        "an argument has a default",
        "test_hook_arguments_have_no_defaults",
        """
@hookimpl
def hotbed_embed(loaded, batch, outputs, in_flight, extra=1):
    return real.hotbed_embed(loaded, batch, outputs, in_flight)
""",
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
)
