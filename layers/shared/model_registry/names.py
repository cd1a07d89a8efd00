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
    late-payer/monitor/days/2026-03-12.json         what the log says of one day, by version
    late-payer/monitor/vintages/2026-Q1.json        what became of the loans that were predicted in one quarter
    late-payer/monitor/reports/live/2026-03-12.json what the monitor said on that date of the version in charge
    late-payer/outcomes/<sha256>.json.gz            one import of outcomes; never rewritten
    late-payer/retrainings/<id>.json                one retraining and its stages

Everything below ``monitor/`` is made from the log and the outcomes: it may be deleted, and is made again.
"""

from __future__ import annotations

import re
from datetime import date

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
_VINTAGE_NAME = re.compile(r"[0-9]{4}-Q[1-4]")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_OUTCOMES_KEY = re.compile(r"[^/]+/outcomes/([0-9a-f]{64})\.json\.gz")
_DATED_KEY = re.compile(r"[^/]+/monitor/(?:days|reports/[^/]+)/([0-9]{4}-[0-9]{2}-[0-9]{2})\.json")
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


def check_retraining_name(retraining: str) -> str:
    """Return the retraining's id if it is allowed, else raise ``InvalidNameError``. The rule is that of rollouts."""
    if not _ROLLOUT_NAME.fullmatch(retraining):
        raise InvalidNameError(f"{retraining!r} isn't a retraining's id: use up to 160 letters, digits, - and _.")
    return retraining


def monitor_days_prefix(model: str) -> str:
    """Return the prefix of the keys of the days' tallies."""
    return f"{model}/monitor/days/"


def monitor_day_key(model: str, day: date) -> str:
    """Return the key of one day's tallies."""
    return f"{monitor_days_prefix(model)}{day.isoformat()}.json"


def monitor_vintages_prefix(model: str) -> str:
    """Return the prefix of the keys of the vintages' tallies."""
    return f"{model}/monitor/vintages/"


def monitor_vintage_key(model: str, vintage: str) -> str:
    """Return the key of the outcome tallies of one vintage, such as 2026-Q1."""
    if not _VINTAGE_NAME.fullmatch(vintage):
        raise InvalidNameError(f"{vintage!r} isn't a vintage's name: write a year and a quarter, such as 2026-Q1.")
    return f"{monitor_vintages_prefix(model)}{vintage}.json"


def monitor_reports_prefix(model: str, alias: str) -> str:
    """Return the prefix of the keys of the monitor's reports on an alias."""
    return f"{model}/monitor/reports/{check_alias_name(alias)}/"


def monitor_report_key(model: str, alias: str, as_of: date) -> str:
    """Return the key of the monitor's report of one date on an alias."""
    return f"{monitor_reports_prefix(model, alias)}{as_of.isoformat()}.json"


def parse_dated_key(key: str) -> date | None:
    """Return the date of a day's tallies or of a report, or None for another kind of key."""
    match = _DATED_KEY.fullmatch(key)
    try:
        return date.fromisoformat(match[1]) if match else None
    except ValueError:
        return None


def outcomes_prefix(model: str) -> str:
    """Return the prefix of the keys of all imports of outcomes."""
    return f"{model}/outcomes/"


def outcomes_key(model: str, sha256: str) -> str:
    """Return the key of one import of outcomes, by the digest of its content."""
    if not _DIGEST.fullmatch(sha256):
        raise InvalidNameError(f"{sha256!r} isn't a SHA-256 digest: it has 64 digits and letters from a to f.")
    return f"{outcomes_prefix(model)}{sha256}.json.gz"


def parse_outcomes_key(key: str) -> str | None:
    """Return the digest of an import of outcomes, or None for another kind of key."""
    match = _OUTCOMES_KEY.fullmatch(key)
    return match[1] if match else None


def retrainings_prefix(model: str) -> str:
    """Return the prefix of the keys of all retrainings."""
    return f"{model}/retrainings/"


def retraining_key(model: str, retraining: str) -> str:
    """Return the key of one retraining's document."""
    return f"{retrainings_prefix(model)}{check_retraining_name(retraining)}.json"
