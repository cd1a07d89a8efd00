"""Chooses the version that answers a request: a pure function of the alias and the request's routing key."""

from __future__ import annotations

import hashlib

from model_registry.alias import Alias


def resolve_version(alias: Alias, routing_key: str) -> int:
    """Return the version for a routing key: always the same one, and in shares that match the weight.

    The key and the rollout's name are hashed to a point in [0, 1); points below the weight get the additional version.
    The point doesn't depend on the weight, so raising the weight never moves a key back.

    The routing key is text that stays the same for one caller or loan during the rollout.
    """
    for additional, weight in alias.routing_config.additional_version_weights.items():
        if _point(alias.rollout, routing_key) < weight:
            return additional
    return alias.version


def _point(rollout: str, routing_key: str) -> float:
    # 53 bits fill a float's mantissa exactly, so the point can never round up to 1.0 and a weight of 1.0 takes all.
    digest = hashlib.sha256(f"{rollout}\x00{routing_key}".encode("utf-8", "surrogatepass")).digest()
    return (int.from_bytes(digest[:8], "big") >> 11) / 2**53
