"""The table of problems: every error of a request has a row, and nothing else is quoted."""

from __future__ import annotations

import pytest

from predict_api.http import errors, problems


def test_every_error_of_a_request_is_in_the_table() -> None:
    assert set(problems.PROBLEM_TYPES) == set(errors.RequestError.__subclasses__())


def test_every_problem_has_its_own_type() -> None:
    slugs = [kind.slug for kind in (*problems.PROBLEM_TYPES.values(), problems.INTERNAL_ERROR)]
    assert len(set(slugs)) == len(slugs)


def test_other_errors_are_not_quoted() -> None:
    problem = problems.describe(ValueError("secret"), "request-1")
    assert problem.kind is problems.INTERNAL_ERROR
    assert "secret" not in str(problem.document)
    assert problem.document["instance"] == "request-1"


@pytest.mark.parametrize(("retry_after_s", "header"), [(0.0, "1"), (0.2, "1"), (1.2, "2"), (300.0, "300")])
def test_retry_after_is_in_whole_seconds(retry_after_s: float, header: str) -> None:
    problem = problems.describe(errors.NoVerifiedModelError(retry_after_s), "request-1")
    assert problem.headers == {"Retry-After": header}


def test_method_not_allowed_says_which_are() -> None:
    problem = problems.describe(errors.MethodNotAllowedError(("GET", "HEAD")), "request-1")
    assert problem.headers == {"Allow": "GET, HEAD"}
