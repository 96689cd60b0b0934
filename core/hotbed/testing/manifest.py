"""What a manifest promises before any model is opened."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator
from types import ModuleType
from typing import Any, ClassVar

import pytest

from hotbed.backends.catalog import Found
from hotbed.backends.decision import Request
from hotbed.backends.engine import Engine
from hotbed.backends.hookspecs import PROJECT, HotbedSpec
from hotbed.backends.manifest import DTYPES, SUPPORTED_HOOK_APIS, Manifest
from hotbed.backends.probing import probe_needs
from hotbed.backends.values import ProbeRequest
from hotbed.child_processes import run_python
from hotbed.loading import House
from hotbed.testing.base import Suite
from hotbed.testing.supply import KINDS, read
from hotbed.testing.tiny import build_tiny

__all__ = ["ManifestSuite"]

HEAVY = ("onnxruntime", "onnx", "torch", "transformers", "tensorflow", "jax", "scipy", "openvino")
"""Modules that take a good part of a second to import, or many megabytes."""

_NEEDED = {
    "embed": ("hotbed_load", "hotbed_embed"),
    "convert": ("hotbed_convert",),
    "quantize": ("hotbed_quantize",),
}
_KNOWN_FORMATS = ("onnx", "safetensors")


class ManifestSuite(Suite):
    """Everything that can be told from the manifest and the module alone."""

    action: ClassVar[str] = "embed"

    @pytest.fixture
    def found(self, house: House, name: str) -> Found:
        """The entry point and what came of loading it."""
        return next(item for item in house.backends.found() if item.name == name)

    @pytest.fixture
    def manifest(self, found: Found) -> Manifest:
        """The manifest; without one, `test_the_entry_point_loads` says why."""
        assert found.manifest is not None, found.error
        return found.manifest

    @pytest.fixture
    def module(self, found: Found, manifest: Manifest) -> ModuleType:
        """The light module that the entry point names."""
        module: ModuleType = found.plugin
        return module

    def test_the_entry_point_loads(self, found: Found) -> None:
        """The module imports and holds ``HOTBED = Manifest(...)``.

        Else users see the error beside the backend's name. Import what may be missing inside the
        hook functions, and declare it in ``Manifest.needs``.
        """
        assert not found.error, found.error
        assert not found.conflict, found.conflict
        assert not found.blocked, found.blocked
        assert isinstance(found.manifest, Manifest), f"{found.value} holds no HOTBED"

    def test_the_manifest_has_the_entry_points_name(self, found: Found, manifest: Manifest) -> None:
        """One backend has one name. Else messages and settings speak of two: rename one."""
        assert manifest.name == found.name

    def test_the_hook_api_is_one_that_is_spoken(self, manifest: Manifest) -> None:
        """``hook_api`` is one that this hotbed speaks. Else nothing would call the backend."""
        assert manifest.hook_api in SUPPORTED_HOOK_APIS

    def test_the_module_is_light(self, found: Found, manifest: Manifest) -> None:
        """Importing the module imports no runtime: every `hotbed backends` pays for it.

        Else move the import into the hook functions.
        """
        script = (
            "import importlib, json, sys; import hotbed.backends, hotbed.errors; "
            f"importlib.import_module({found.value.partition(':')[0]!r}); "
            "print(json.dumps(sorted(sys.modules)))"
        )
        done = run_python(["-c", script])
        assert done.returncode == 0, done.stderr
        loaded = set(json.loads(done.stdout.splitlines()[-1]))
        assert not loaded & {*HEAVY, *manifest.needs}

    def test_the_hooks_fit_their_specs(self, engine: Engine) -> None:
        """Names and arguments of the hook functions are those of ``HotbedSpec``.

        Else the fixture fails with the argument that does not fit.
        """
        assert engine.manifest.capabilities

    def test_every_hook_function_is_marked(self, module: ModuleType) -> None:
        """Functions called ``hotbed_…`` carry ``@hookimpl``. Else they are never called."""
        unmarked = [
            name
            for name, value in vars(module).items()
            if name.startswith("hotbed_") and callable(value) and not isinstance(value, type)
            if getattr(value, f"{PROJECT}_impl", None) is None
        ]
        assert not unmarked

    def test_hook_arguments_have_no_defaults(self, module: ModuleType) -> None:
        """An argument with a default hides a misspelt name: it would silently keep the default.

        Delete the default; hotbed gives every argument that a hook names.
        """
        defaults = [
            f"{name}({parameter.name}=…)"
            for name, function in _hooks(module)
            for parameter in inspect.signature(function).parameters.values()
            if parameter.default is not parameter.empty
        ]
        assert not defaults

    def test_what_is_declared_is_implemented(self, module: ModuleType, manifest: Manifest) -> None:
        """Each action declared has its hooks, and each such hook its action.

        Else selection chooses a backend that cannot do the work, or never finds one that can.
        """
        declared = {capability.action for capability in manifest.capabilities}
        implemented = {name for name, _ in _hooks(module)}
        for action, hooks in _NEEDED.items():
            for hook in hooks:
                assert (hook in implemented) == (action in declared), f"{action} and {hook}"

    def test_the_declarations_are_whole(self, manifest: Manifest) -> None:
        """Capabilities name what selection needs: formats, devices, what is written, recipes."""
        brought = {kind.name for kind in manifest.formats}
        for capability in manifest.capabilities:
            written = {capability.to} - {""}
            unknown = {*capability.formats, *written} - {*_KNOWN_FORMATS, *brought}
            assert not unknown, f"declare Manifest.formats for {sorted(unknown)}"
            assert capability.formats, "formats: what does it read?"
            assert capability.devices, "devices: where does it run?"
            assert capability.dtypes, "dtypes: in which arithmetic?"
            if capability.action != "embed":
                assert capability.profiles or capability.recipes
            if capability.action == "convert":
                assert capability.to, "to: which format does it write?"
            if capability.action == "quantize":
                assert capability.recipes, "recipes: which does it have?"

    def test_the_probe_answers(self, engine: Engine, manifest: Manifest) -> None:
        """The probe answers for whatever is declared, and a no has a reason.

        Else `hotbed backends` shows a traceback's last line where advice should stand.
        """
        for capability in manifest.capabilities:
            for device in capability.devices:
                for dtype in capability.dtypes:
                    request = ProbeRequest(action=capability.action, device=device, dtype=dtype)
                    answer = engine.probe(request)
                    assert not answer.reason.startswith("probe "), answer.reason
                    assert answer.ok or answer.reason

    def test_the_needs_are_enough(self, engine: Engine, manifest: Manifest) -> None:
        """Where a module of ``needs`` is absent the probe says no. Else loading would fail."""
        if not probe_needs(manifest).ok:
            request = ProbeRequest(action="embed", device=manifest.capabilities[0].devices[0])
            assert not engine.probe(request).ok

    def test_what_is_not_declared_is_refused(
        self, house: House, name: str, manifest: Manifest, tmp_path: Any
    ) -> None:
        """A device, an arithmetic or an action that no capability lists gives no decision."""
        folder = read(house, build_tiny(tmp_path / "tiny", **KINDS["mean"]))
        mine = [c for c in manifest.capabilities if c.action == "embed"]
        dtypes = {dtype for capability in mine for dtype in capability.dtypes}
        asked = [Request(backend=name, device="abacus")]
        asked += [Request(backend=name, dtype=d) for d in sorted({*DTYPES.values()} - dtypes)]
        asked += [Request(backend=name, features=("telepathy",))]
        actions = {capability.action for capability in manifest.capabilities}
        asked += [Request(backend=name, action=a) for a in sorted({*_NEEDED} - actions)]
        for request in asked:
            decision = house.decide(request, folder)
            assert decision.chosen is None, request
            (mine_too,) = (v for v in decision.verdicts if v.backend == name)
            assert mine_too.reason


def _hooks(module: ModuleType) -> Iterator[tuple[str, Any]]:
    for name, value in vars(module).items():
        if hasattr(HotbedSpec, name) and inspect.isroutine(value):
            yield name, value
