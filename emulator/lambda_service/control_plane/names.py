"""How a function, a version or an alias may be named: names, ARNs, partial ARNs, qualifiers. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from emulator.lambda_service.errors import InvalidParameterError, ResourceNotFoundError

_FUNCTION = re.compile(
    r"(?:(?:arn:aws[a-zA-Z-]*:lambda:)?(?:(?P<region>[a-z]{2}(?:-[a-z]+)+-\d):)?(?:(?P<account>\d{12}):)?function:|"
    r"(?P<account_alone>\d{12}):(?:function:)?)?"
    r"(?P<name>[a-zA-Z0-9-_]+)(?::(?P<qualifier>\$LATEST|[a-zA-Z0-9-_]+))?"
)


@dataclass(frozen=True, slots=True)
class ArnScope:
    """The region and account that make a name an ARN."""

    region: str
    account_id: str

    def arn(self, name: str, qualifier: str | None = None) -> str:
        """Return a function's ARN, qualified if a qualifier is given."""
        plain = f"arn:aws:lambda:{self.region}:{self.account_id}:function:{name}"
        return plain if qualifier is None else f"{plain}:{qualifier}"

    def parse(self, function_name: str, qualifier: str | None = None) -> tuple[str, str | None]:
        """Return name and qualifier of a function, which may be named in any of AWS's ways.

        `function_name` is a name, a partial ARN or an ARN, with a qualifier or without. The other `qualifier` is given
        beside it; an empty one doesn't count.

        Raises
        ------
        InvalidParameterError
            Both hold a qualifier, and they differ.
        ResourceNotFoundError
            It isn't a name, or it is the ARN of another account or region.
        """
        match = _FUNCTION.fullmatch(function_name)
        if match is None:
            raise ResourceNotFoundError(f"Function not found: {function_name}")
        within = match["qualifier"]
        if within and qualifier and within != qualifier:
            raise InvalidParameterError(
                "The derived qualifier from the function name does not match the specified qualifier."
            )
        account = match["account"] or match["account_alone"]
        if (match["region"] or self.region, account or self.account_id) != (self.region, self.account_id):
            raise ResourceNotFoundError(f"Function not found: {function_name}")
        return match["name"], within or qualifier or None
