"""Load with transformers without its progress bars and reports.

What it reports, tensors that are missing or left over, is raised as an error where it matters.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

__all__ = ["quietly"]

_ONE_AT_A_TIME = threading.Lock()
"""transformers loads under a default dtype that the whole process shares."""


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """Keep transformers quiet, and leave its settings as they were."""
    from transformers.utils import logging

    with _ONE_AT_A_TIME:
        verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
        logging.set_verbosity_error()
        logging.disable_progress_bar()
        try:
            yield
        finally:
            logging.set_verbosity(verbosity)
            if bars:
                logging.enable_progress_bar()
