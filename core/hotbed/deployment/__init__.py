"""Deployments: models that follow an alias and are swapped while they serve."""

from __future__ import annotations

from hotbed.deployment.deployment import Deployment
from hotbed.deployment.health import Checked, Health
from hotbed.deployment.pool import ModelPool, default_pool
from hotbed.deployment.status import Change, Refusal, Status

__all__ = [
    "Change",
    "Checked",
    "Deployment",
    "Health",
    "ModelPool",
    "Refusal",
    "Status",
    "default_pool",
]
