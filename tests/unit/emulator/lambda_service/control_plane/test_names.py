"""Names of functions, as AWS reads them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.lambda_service.errors import LambdaApiError
from tests.unit.emulator.lambda_service.control_plane.refusals import ARN, ARN_SCOPE, refusal


@pytest.mark.parametrize("name", ["hello", ARN, "123456789012:function:hello", "123456789012:hello", "function:hello"])
@pytest.mark.parametrize("qualifier", [None, "live", "$LATEST", "7"])
@pytest.mark.fidelity("function-names")
def test_every_way_to_name_a_function(name: str, qualifier: str | None) -> None:
    assert ARN_SCOPE.parse(name, qualifier) == ("hello", qualifier)
    if qualifier is not None:
        assert ARN_SCOPE.parse(f"{name}:{qualifier}") == ("hello", qualifier)
        assert ARN_SCOPE.parse(f"{name}:{qualifier}", qualifier) == ("hello", qualifier)


@pytest.mark.parametrize(
    ("name", "qualifier", "code"),
    [
        ("hello:live", "prod", "InvalidParameterValueException"),
        ("hel lo", None, "ResourceNotFoundException"),
        ("", None, "ResourceNotFoundException"),
        ("arn:aws:lambda:us-east-1:123456789012:function:hello", None, "ResourceNotFoundException"),
        ("210987654321:function:hello", None, "ResourceNotFoundException"),
    ],
)
@pytest.mark.fidelity("function-names")
def test_names_that_are_refused(name: str, qualifier: str | None, code: str) -> None:
    assert refusal(ARN_SCOPE.parse, function_name=name, qualifier=qualifier)[0] == code


@given(st.text(max_size=300), st.none() | st.text(max_size=130))
def test_any_name_is_read_or_refused_as_aws_does(name: str, qualifier: str | None) -> None:
    try:
        parsed_name, _ = ARN_SCOPE.parse(name, qualifier)
    except LambdaApiError as error:
        status = error.status
    else:
        assert parsed_name in name
        return
    assert status in {400, 404}
