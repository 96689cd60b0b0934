"""The one place where onnxruntime is imported: without its telemetry.

From 1.32 on its wheels for Linux send usage data unless told otherwise before the import: one load
leaves a device id and a database of unsent events in the user's home
(https://github.com/microsoft/onnxruntime/pull/27379).
"""

from __future__ import annotations

import os
from typing import Any

__all__ = ["import_onnxruntime"]


def import_onnxruntime() -> Any:
    """Import onnxruntime; telemetry is off unless the user said something else.

    Raises:
        ImportError: It is not installed, or two wheels of it spoilt one another.
    """
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime

    return onnxruntime
