"""Chooses the version that answers a request, and whether it is shadowed.

Pure functions of the alias and the request's routing key.
"""

from __future__ import annotations

import hashlib

from model_registry.alias import Alias, Shadow

# Added to the rollout's name, so that the shadow's requests are drawn independently of those of the additional version.
_SHADOW_SPLIT = "/shadow"


def resolve_version(alias: Alias, routing_key: str) -> int:
    """Return the version for a routing key: always the same one, and in shares that match the weight.

    The key and the rollout's name are hashed to a point in [0, 1); points below the weight get the additional version.
    The point doesn't depend on the weight, so raising the weight never moves a key back.

    The routing key is text that stays the same for one caller or loan during the rollout.
    """
    for additional, weight in alias.routing_config.additional_version_weights.items():
        if routing_point(alias.rollout, routing_key) < weight:
            return additional
    return alias.version


def resolve_shadow(alias: Alias, routing_key: str, answering_version: int) -> Shadow | None:
    """Return the shadow that a request gets beside the version that answers it; None if it gets none.

    The requests of a share are always the same ones, and no version is the shadow of itself.
    """
    shadow = alias.shadow
    if shadow is None or shadow.version == answering_version:
        return None
    is_drawn = shadow.share == 1 or routing_point(alias.rollout + _SHADOW_SPLIT, routing_key) < shadow.share
    return shadow if is_drawn else None


def routing_point(rollout: str, routing_key: str) -> float:
    """Return the point in [0, 1) that a routing key has in the split of this name."""
    # 53 bits fill a float's mantissa exactly, so the point can never round up to 1.0 and a weight of 1.0 takes all.
    digest = hashlib.sha256(f"{rollout}\x00{routing_key}".encode("utf-8", "surrogatepass")).digest()
    return (int.from_bytes(digest[:8], "big") >> 11) / 2**53
