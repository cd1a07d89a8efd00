"""Where things are in the bucket, and which names are allowed.

::

    late-payer/versions/7/model.pkl
    late-payer/versions/7/serving-form.npz          the same model as arrays, if it can be had as such
    late-payer/versions/7/manifest.json             written last: a version without it does not exist
    late-payer/versions/7/deleted.json              a mark: this number is not to be used (again)
    late-payer/aliases/live.json
    late-payer/aliases/live/history/00000012.json
"""

from __future__ import annotations

import re

from model_registry.errors import InvalidNameError

DEFAULT_MODEL = "late-payer"
DEFAULT_ALIAS = "live"

_MODEL_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
# Lambda's own rule for alias names: letters, digits, - and _, and not a number alone.
_ALIAS_NAME = re.compile(r"(?![0-9]+$)[a-zA-Z0-9_-]{1,128}")
# Names that read as a version would let one mistake an alias for one.
_RESERVED_ALIAS = re.compile(r"latest|v[0-9]+", re.IGNORECASE)
_VERSION_KEY = re.compile(r"[^/]+/versions/([1-9][0-9]*)/([^/]+)")
_HISTORY_KEY = re.compile(r"[^/]+/aliases/[^/]+/history/([0-9]{8,})\.json")
_ALIAS_KEY = re.compile(r"[^/]+/aliases/([^/]+)\.json")


def check_model_name(model: str) -> str:
    """Return the model name if it is allowed, else raise ``InvalidNameError``."""
    if not _MODEL_NAME.fullmatch(model):
        raise InvalidNameError(f"{model!r} is no model name: use lower-case letters, digits and inner hyphens.")
    return model


def check_alias_name(alias: str) -> str:
    """Return the alias name if it is allowed, else raise ``InvalidNameError``."""
    if not _ALIAS_NAME.fullmatch(alias) or _RESERVED_ALIAS.fullmatch(alias):
        raise InvalidNameError(
            f"{alias!r} is no alias name: use letters, digits, - and _; not a number alone, nor 'latest' or 'v1'."
        )
    return alias


def versions_prefix(model: str) -> str:
    """Return the prefix under which all versions are."""
    return f"{model}/versions/"


def pickle_key(model: str, version: int) -> str:
    """Return the key of a version's pickle."""
    return f"{versions_prefix(model)}{version}/model.pkl"


def serving_form_key(model: str, version: int) -> str:
    """Return the key of a version's serving form."""
    return f"{versions_prefix(model)}{version}/serving-form.npz"


def manifest_key(model: str, version: int) -> str:
    """Return the key of a version's manifest."""
    return f"{versions_prefix(model)}{version}/manifest.json"


def tombstone_key(model: str, version: int) -> str:
    """Return the key of the mark that a version is deleted, or about to be."""
    return f"{versions_prefix(model)}{version}/deleted.json"


def aliases_prefix(model: str) -> str:
    """Return the prefix under which all aliases are."""
    return f"{model}/aliases/"


def alias_key(model: str, alias: str) -> str:
    """Return the key of the document that says where an alias points now."""
    return f"{aliases_prefix(model)}{alias}.json"


def history_prefix(model: str, alias: str) -> str:
    """Return the prefix under which an alias's revisions are."""
    return f"{aliases_prefix(model)}{alias}/history/"


def parse_history_key(key: str) -> int | None:
    """Return the revision's number, or None for a key that is not a revision's."""
    match = _HISTORY_KEY.fullmatch(key)
    return int(match[1]) if match else None


def history_key(model: str, alias: str, revision: int) -> str:
    """Return the key of one revision; eight digits, so that keys sort as numbers do."""
    return f"{history_prefix(model, alias)}{revision:08d}.json"


def parse_version_key(key: str) -> tuple[int, str] | None:
    """Return the version's number and the file's name, or None for a key that is not a version's."""
    match = _VERSION_KEY.fullmatch(key)
    return (int(match[1]), match[2]) if match else None


def parse_alias_key(key: str) -> str | None:
    """Return the alias's name, or None for a key that is not an alias's document."""
    match = _ALIAS_KEY.fullmatch(key)
    return match[1] if match else None
