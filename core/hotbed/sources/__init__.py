"""Where models come from: a folder, the hub, a wheel, or a plugin (group ``hotbed.sources``)."""

from __future__ import annotations

from hotbed.sources.located import Located, Reference, Source
from hotbed.sources.resolve import parse, resolve

__all__ = ["Located", "Reference", "Source", "parse", "resolve"]
