"""The bucket's keys, and the rules for names of models and aliases.

::

    late-payer/versions/7/model.pkl
    late-payer/versions/7/serving-form.npz          the same model as arrays, for a model that has such a form
    late-payer/versions/7/manifest.json             written last: a version without it doesn't exist
    late-payer/versions/7/deleted.json              a mark: the version is deleted, and its number never used again
    late-payer/aliases/live.json
    late-payer/aliases/live/history/00000012.json
    late-payer/rollouts/live.json                   the rollout under way on the alias, or the last one
    late-payer/rollouts/live/<id>.json              a rollout that ended
"""

from __future__ import annotations

import re

from model_registry.errors import InvalidNameError

DEFAULT_MODEL = "late-payer"
DEFAULT_ALIAS = "live"

# A version's files.
PICKLE = "model.pkl"
SERVING_FORM = "serving-form.npz"
MANIFEST = "manifest.json"
TOMBSTONE = "deleted.json"

_MODEL_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
# Lambda's own rule for alias names: letters, digits, - and _, and not a number alone.
_ALIAS_NAME = re.compile(r"(?![0-9]+$)[a-zA-Z0-9_-]{1,128}")
# A part of a key, and of the names of the splits that are made for a rollout. The names that the registry makes are an
# alias's name, a hyphen and a revision.
_ROLLOUT_NAME = re.compile(r"[a-zA-Z0-9_-]{1,160}")
# These would be mistaken for versions.
_RESERVED_ALIAS = re.compile(r"latest|v[0-9]+", re.IGNORECASE)
_VERSION_KEY = re.compile(r"[^/]+/versions/([1-9][0-9]*)/([^/]+)")
_HISTORY_KEY = re.compile(r"[^/]+/aliases/[^/]+/history/([0-9]{8,})\.json")
_ALIAS_KEY = re.compile(r"[^/]+/aliases/([^/]+)\.json")


def check_model_name(model: str) -> str:
    """Return the model name if it is allowed, else raise ``InvalidNameError``."""
    if not _MODEL_NAME.fullmatch(model):
        raise InvalidNameError(f"{model!r} isn't a model name: use lower-case letters, digits and inner hyphens.")
    return model


def check_alias_name(alias: str) -> str:
    """Return the alias name if it is allowed, else raise ``InvalidNameError``."""
    if not _ALIAS_NAME.fullmatch(alias) or _RESERVED_ALIAS.fullmatch(alias):
        raise InvalidNameError(
            f"{alias!r} isn't an alias name: use letters, digits, - and _; not a number alone, nor 'latest' or 'v1'."
        )
    return alias


def check_rollout_name(rollout: str) -> str:
    """Return the rollout's name if it is allowed, else raise ``InvalidNameError``."""
    if not _ROLLOUT_NAME.fullmatch(rollout):
        raise InvalidNameError(f"{rollout!r} isn't a rollout's name: use up to 160 letters, digits, - and _.")
    return rollout


def versions_prefix(model: str) -> str:
    """Return the prefix of all versions' keys."""
    return f"{model}/versions/"


def version_key(model: str, version: int, file: str) -> str:
    """Return the key of a version's file: ``PICKLE``, ``SERVING_FORM``, ``MANIFEST`` or ``TOMBSTONE``."""
    return f"{versions_prefix(model)}{version}/{file}"


def parse_version_key(key: str) -> tuple[int, str] | None:
    """Return the version's number and the file's name, or None for another kind of key."""
    match = _VERSION_KEY.fullmatch(key)
    return (int(match[1]), match[2]) if match else None


def aliases_prefix(model: str) -> str:
    """Return the prefix of all aliases' keys."""
    return f"{model}/aliases/"


def alias_key(model: str, alias: str) -> str:
    """Return the key of the document that says where an alias points now."""
    return f"{aliases_prefix(model)}{alias}.json"


def parse_alias_key(key: str) -> str | None:
    """Return the alias's name, or None for another kind of key."""
    match = _ALIAS_KEY.fullmatch(key)
    return match[1] if match else None


def history_prefix(model: str, alias: str) -> str:
    """Return the prefix of the keys of an alias's revisions."""
    return f"{aliases_prefix(model)}{alias}/history/"


def history_key(model: str, alias: str, revision: int) -> str:
    """Return the key of one revision. It has eight digits, so that keys sort as numbers do."""
    return f"{history_prefix(model, alias)}{revision:08d}.json"


def parse_history_key(key: str) -> int | None:
    """Return the revision's number, or None for another kind of key."""
    match = _HISTORY_KEY.fullmatch(key)
    return int(match[1]) if match else None


def rollouts_prefix(model: str) -> str:
    """Return the prefix of the keys of all rollouts."""
    return f"{model}/rollouts/"


def rollout_key(model: str, alias: str) -> str:
    """Return the key of the rollout that is under way on an alias, or was the last one."""
    return f"{rollouts_prefix(model)}{check_alias_name(alias)}.json"


def past_rollouts_prefix(model: str, alias: str) -> str:
    """Return the prefix of the keys of the rollouts of an alias that have ended."""
    return f"{rollouts_prefix(model)}{check_alias_name(alias)}/"


def past_rollout_key(model: str, alias: str, rollout: str) -> str:
    """Return the key under which a rollout that has ended is kept."""
    return f"{past_rollouts_prefix(model, alias)}{check_rollout_name(rollout)}.json"
