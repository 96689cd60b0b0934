"""``python -m hotbed``."""

from __future__ import annotations

from hotbed.cli.main import run

if __name__ == "__main__":
    run()
