"""Which published versions of the function's code may be rolled back to; the others may be deleted.

``peerloan code prune`` deletes the others, and the nightly job keeps these ready. It knows nothing of models.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

# How many of the newest versions may be rolled back to: the newest may be on its way to the alias.
KEPT_NEWEST = 3
_LATEST = "$LATEST"


@dataclass(frozen=True)
class CodeVersions:
    """The published versions: those to keep, newest first and with the reason, and the doomed ones, which may go."""

    kept: dict[str, str]
    doomed: tuple[str, ...]


def list_code_versions(
    client: Any, function: str, keep: int = KEPT_NEWEST, of_stack: Collection[str] = ()
) -> CodeVersions:
    """Return a function's published versions.

    Parameters
    ----------
    client : client of Lambda
        Of boto3 or botocore, whose errors are raised.
    function : str
        Its name or ARN.
    keep : int
        How many of the newest versions stay, at least 1.
    of_stack : collection of str
        Versions that CloudFormation needs: it goes back to them when an update fails.
    """
    pages = client.get_paginator("list_versions_by_function").paginate(FunctionName=function)
    published = {entry["Version"] for page in pages for entry in page["Versions"]} - {_LATEST}
    pages = client.get_paginator("list_aliases").paginate(FunctionName=function)
    aliases = [alias for page in pages for alias in page["Aliases"]]
    versions = sorted(published, key=int, reverse=True)
    reasons = dict.fromkeys(versions[:keep], "new") | {v: "CloudFormation's" for v in versions if v in of_stack}
    for alias in aliases:
        weights = (alias.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {}
        reasons |= dict.fromkeys([alias["FunctionVersion"], *weights], alias["Name"])
    return CodeVersions(
        kept={version: reasons[version] for version in versions if version in reasons},
        doomed=tuple(version for version in versions if version not in reasons),
    )
