"""What a deployment tells of itself: what serves, what was refused, what happened."""

from __future__ import annotations

from attrs import frozen

__all__ = ["Change", "Refusal", "Status"]


@frozen(kw_only=True)
class Change:
    """Something that happened to a deployment.

    Attributes:
        kind: ``serving`` (the model that is asked for begins to serve), ``refused`` (a candidate
            failed), ``fallback`` (another model than the one asked for begins to serve), ``lost``
            (the registry cannot be asked; what serves goes on), ``stale`` (the registry cannot be
            asked, and what the reference meant last begins to serve), ``found`` (the registry
            answers again).
        at: When, in UTC, ISO 8601.
        deployment: What was asked for: ``support@production``.
        model: What it is about: ``support@1.3.0``, or a model of the fallback chain.
        before: What served until then; ``""`` for nothing.
        reason: Why; of a refusal, the error.
        seconds: What loading and checking took.
    """

    kind: str
    at: str
    deployment: str
    model: str
    before: str
    reason: str = ""
    seconds: float = 0.0


@frozen(kw_only=True)
class Refusal:
    """A candidate that failed, and is not tried again for a while.

    Attributes:
        model: Which.
        reason: Its error.
        at: When it failed last, in UTC, ISO 8601.
        times: How often it was tried.
    """

    model: str
    reason: str
    at: str
    times: int


@frozen(kw_only=True)
class Status:
    """A deployment at one moment.

    Attributes:
        deployment: What was asked for.
        model: What serves; ``""`` before the first call.
        manifest: Its manifest; ``""`` for what is not in a registry.
        fallback: Whether that is another model than the one asked for.
        stale: Whether the registry could not be asked at the last look: the reference may mean
            another version by now.
        since: Since when, in UTC, ISO 8601.
        backend: What runs it; ``""`` while it is not loaded.
        nbytes: Bytes that it holds in memory.
        seconds: Of one text, in its health check.
        cosine: The lowest to its reference vectors, in its health check; None where it has none.
        calls: Calls so far.
        fallback_calls: Those that a fallback answered.
        swaps: How often another model began to serve.
        refused: Candidates that failed.
        changes: What happened, the oldest first; the last hundred.
    """

    deployment: str
    model: str = ""
    manifest: str = ""
    fallback: bool = False
    stale: bool = False
    since: str = ""
    backend: str = ""
    nbytes: int = 0
    seconds: float | None = None
    cosine: float | None = None
    calls: int = 0
    fallback_calls: int = 0
    swaps: int = 0
    refused: tuple[Refusal, ...] = ()
    changes: tuple[Change, ...] = ()
