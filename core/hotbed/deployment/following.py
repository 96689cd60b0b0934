"""The thread that follows a reference."""

from __future__ import annotations

import logging
import threading
import weakref
from collections.abc import Callable

from hotbed.deployment.pool import ModelPool
from hotbed.errors import ClosedError
from hotbed.registry.store import Store
from hotbed.registry.watching import watch

__all__ = ["follow"]

_log = logging.getLogger("hotbed.deployment")


def follow(
    look: weakref.WeakMethod[Callable[[], object]],
    store: Store,
    model: str,
    pool: ModelPool,
    poll: float,
) -> threading.Event:
    """Have a deployment look whenever its registry may have changed, until it is gone.

    Args:
        look: What looks; whoever lets go of the deployment ends the thread.
        store: Its registry.
        model: The model that its reference is about.
        pool: Where its models are kept.
        poll: Seconds after which it looks in any case.

    Returns:
        What ends the thread when it is set.
    """
    stop = threading.Event()

    def run() -> None:
        waiting = watch(store.database, model)
        try:
            while not stop.is_set():
                waiting.wait(poll, stop)
                if stop.is_set() or not _looked(look):
                    return
        finally:
            waiting.close()
            pool.reap()

    threading.Thread(target=run, name="hotbed-follow", daemon=True).start()
    return stop


def _looked(look: weakref.WeakMethod[Callable[[], object]]) -> bool:
    """Look, unless nobody wants it any more; this thread must not be what keeps it alive."""
    found = look()
    if found is None:
        return False
    try:
        found()
    except ClosedError:
        return False
    except Exception:  # the thread has to outlive whatever happens; the log has it in full
        _log.exception("a deployment cannot follow its reference")
    return True
