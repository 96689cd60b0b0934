"""The thread that follows a reference."""

from __future__ import annotations

import logging
import threading
import weakref
from typing import TYPE_CHECKING

from hotbed.deployment.pool import ModelPool
from hotbed.registry.store import Store
from hotbed.registry.watching import watch

if TYPE_CHECKING:
    from hotbed.deployment.deployment import Deployment

__all__ = ["follow"]

_log = logging.getLogger("hotbed.deployment")


def follow(
    deployment: weakref.ref[Deployment], store: Store, pool: ModelPool, poll: float
) -> threading.Event:
    """Refresh a deployment whenever its registry may have changed, until it is gone.

    Args:
        deployment: Which; whoever lets go of it ends the thread.
        store: Its registry.
        pool: Where its models are kept.
        poll: Seconds after which it is refreshed in any case.

    Returns:
        What ends the thread when it is set.
    """
    stop = threading.Event()

    def run() -> None:
        waiting = watch(store.database)
        try:
            while not stop.is_set():
                waiting.wait(poll, stop)
                found = deployment()
                if found is None or stop.is_set():
                    return
                _refresh(found)
                del found  # this thread must not be what keeps it alive
        finally:
            waiting.close()
            pool.reap()

    threading.Thread(target=run, name="hotbed-follow", daemon=True).start()
    return stop


def _refresh(deployment: Deployment) -> None:
    from hotbed.errors import ClosedError

    try:
        deployment.refresh()
    except ClosedError:
        return
    except Exception:  # the thread has to outlive whatever happens; the log has it in full
        _log.exception("%r cannot be refreshed", deployment)
