"""A backend whose native library reads where there is nothing, while it is imported.

It is never installed beside anything else: whoever lists plugins in that environment is gone.
"""

from __future__ import annotations

import ctypes

ctypes.string_at(0)
