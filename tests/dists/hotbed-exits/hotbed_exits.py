"""A backend that ends the process at import, as scripts turned into modules do."""

from __future__ import annotations

import sys

sys.exit("hotbed-exits: no licence file; see https://example.org/licence")
