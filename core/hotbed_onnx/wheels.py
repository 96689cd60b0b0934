"""Which of onnxruntime's wheels is installed, and which one is live.

``onnxruntime`` and ``onnxruntime-gpu`` install the same module; the one unpacked last wins, and
removing either deletes files of the other.
"""

from __future__ import annotations

import importlib.util
from importlib.metadata import PackageNotFoundError, version

from hotbed.backends import Manifest, Probe
from hotbed.backends.probing import probe_needs
from hotbed_onnx.runtime import import_onnxruntime

__all__ = ["WHEELS", "installed_wheels", "probe_runtime"]

WHEELS = ("onnxruntime", "onnxruntime-gpu")


def installed_wheels() -> dict[str, str]:
    """Installed wheels of onnxruntime → version, by what their metadata says."""
    found = {}
    for name in WHEELS:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def probe_runtime(manifest: Manifest, provider: str) -> Probe:
    """Check that onnxruntime works and offers a provider. Says which wheel is live."""
    wheels = installed_wheels()
    if importlib.util.find_spec("onnxruntime") is None or not wheels:
        return probe_needs(manifest)
    fix = f'pip uninstall -y {" ".join(WHEELS)} && pip install "hotbed[{manifest.extra}]"'
    named = ", ".join(f"{name} {number}" for name, number in wheels.items())
    try:
        onnxruntime = import_onnxruntime()
        offered = onnxruntime.get_available_providers()
    except Exception as error:
        # Two wheels unpacked over one another fail in many ways; the reason is shown.
        return Probe(ok=False, reason=f"{named} cannot be imported: {error}", fix=fix)
    if provider not in offered:
        reason = f"{named} is installed and offers {', '.join(offered)}, not {provider}"
        return Probe(ok=False, reason=reason, fix=fix)
    missing = probe_needs(manifest)
    if not missing.ok:
        return missing
    if len(wheels) > 1:
        live = f"live is {onnxruntime.__version__}, which offers {', '.join(offered)}"
        reason = f"two wheels of one module are installed, {named}; {live}"
        return Probe(ok=True, reason=reason, fix=fix)
    return Probe(ok=True, reason=named)
