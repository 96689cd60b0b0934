"""A backend that cannot be imported, as one is whose driver is not installed."""

from __future__ import annotations

raise ImportError("libraises.so.3: cannot open shared object file")
