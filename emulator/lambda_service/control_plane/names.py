"""How a function, a version or an alias may be named: names, ARNs, partial ARNs, qualifiers. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from emulator.lambda_service.errors import InvalidParameterError, ResourceNotFoundError, ValidationError

_FUNCTION = re.compile(
    r"(?:(?:arn:aws[a-zA-Z-]*:lambda:)?(?:(?P<region>[a-z]{2}(?:-[a-z]+)+-\d):)?(?:(?P<account>\d{12}):)?function:|"
    r"(?P<account_alone>\d{12}):(?:function:)?)?"
    r"(?P<name>[a-zA-Z0-9-_]+)(?::(?P<qualifier>\$LATEST|[a-zA-Z0-9-_]+))?"
)
_FUNCTION_PATTERN = (
    r"(arn:(aws[a-zA-Z-]*)?:lambda:)?([a-z]{2}(-gov)?-[a-z]+-\d{1}:)?(\d{12}:)?(function:)?([a-zA-Z0-9-_]+)"
    r"(:(\$LATEST|[a-zA-Z0-9-_]+))?"
)
_QUALIFIER = re.compile(r"\$LATEST|[a-zA-Z0-9_-]{1,128}")
_QUALIFIER_PATTERN = r"(|[a-zA-Z0-9$_-]+)"
_ALIAS = re.compile(r"(?!^[0-9]+$)([a-zA-Z0-9-_]{1,128})")
_ALIAS_PATTERN = r"(?!^[0-9]+$)([a-zA-Z0-9-_]+)"
_VERSION = re.compile(r"\$LATEST|[0-9]{1,1024}")
_VERSION_PATTERN = r"(\$LATEST|[0-9]+)"


@dataclass(frozen=True, slots=True)
class Place:
    """Where the functions are: the parts of an ARN beside the name."""

    region: str
    account_id: str

    def arn(self, name: str, qualifier: str | None = None) -> str:
        """Return a function's ARN, qualified if a qualifier is given."""
        plain = f"arn:aws:lambda:{self.region}:{self.account_id}:function:{name}"
        return plain if qualifier is None else f"{plain}:{qualifier}"

    def parse(self, function_name: str, qualifier: str | None = None) -> tuple[str, str | None]:
        """Return name and qualifier of a function, which may be named in any of AWS's ways.

        Parameters
        ----------
        function_name : str
            A name, a partial ARN or an ARN, with a qualifier or without.
        qualifier : str, optional
            Given beside the name; an empty one doesn't count.

        Raises
        ------
        ValidationError
            The name is neither.
        InvalidParameterError
            Both hold a qualifier, and they differ.
        ResourceNotFoundError
            The ARN is that of another account or region.
        """
        match = _FUNCTION.fullmatch(function_name)
        if match is None:
            raise ValidationError(
                function_name, "functionName", f"Member must satisfy regular expression pattern: {_FUNCTION_PATTERN}"
            )
        if qualifier and _QUALIFIER.fullmatch(qualifier) is None:
            raise ValidationError(
                qualifier, "qualifier", f"Member must satisfy regular expression pattern: {_QUALIFIER_PATTERN}"
            )
        within = match["qualifier"]
        if within and qualifier and within != qualifier:
            raise InvalidParameterError(
                "The derived qualifier from the function name does not match the specified qualifier."
            )
        account = match["account"] or match["account_alone"]
        if (match["region"] or self.region, account or self.account_id) != (self.region, self.account_id):
            raise ResourceNotFoundError(f"Function not found: {function_name}")
        return match["name"], within or qualifier or None


def check_alias_name(name: str) -> None:
    """Raise `ValidationError` unless an alias may have this name."""
    if _ALIAS.fullmatch(name) is None:
        raise ValidationError(name, "name", f"Member must satisfy regular expression pattern: {_ALIAS_PATTERN}")


def check_version_name(version: str, member: str = "functionVersion") -> None:
    """Raise `ValidationError` unless this is ``$LATEST`` or a number."""
    if _VERSION.fullmatch(version) is None:
        raise ValidationError(version, member, f"Member must satisfy regular expression pattern: {_VERSION_PATTERN}")
