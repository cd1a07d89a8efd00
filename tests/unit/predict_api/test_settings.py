"""Settings come from the environment that is passed in, and a bad one is named."""

from __future__ import annotations

import base64

import pytest

from model_artifact.opening.signature import Trust, key_id
from model_registry.function_settings import SettingsError
from model_watch.loan_hash import LoanHasher
from predict_api.settings import Settings

PUBLIC_KEY = base64.b64encode(bytes(range(32))).decode()
LOAN_HASH_KEY = "loan-hash-key-0123456789abcdef-ABCDEF"
LEAST = {"MODEL_BUCKET": "models"}


def test_defaults_are_those_of_the_documentation() -> None:
    settings = Settings.from_environ(LEAST)
    assert settings == Settings(
        bucket="models",
        model="late-payer",
        alias="live",
        alias_ttl_s=5.0,
        s3_endpoint_url=None,
        trust=Trust(),
        service="late-payer-api",
        metrics_namespace="PeerLoan",
        has_metrics=True,
        log_level="INFO",
        stage="local",
        stack="local",
        is_traced=False,
        memory_mib=0,
        loan_hasher=None,
    )


def test_everything_can_be_set() -> None:
    environ = {
        "MODEL_BUCKET": "other",
        "MODEL_NAME": "early-payer",
        "MODEL_ALIAS": "next",
        "ALIAS_TTL_SECONDS": "0.5",
        "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9000",
        "TRUSTED_PUBLISHERS": f"{PUBLIC_KEY}, ",
        "REQUIRE_SIGNATURE": "true",
        "POWERTOOLS_SERVICE_NAME": "service",
        "POWERTOOLS_METRICS_NAMESPACE": "Space",
        "POWERTOOLS_METRICS_DISABLED": "true",
        "POWERTOOLS_LOG_LEVEL": "debug",
        "STAGE": "prod",
        "STACK_NAME": "peerloan-late-payers",
        "AWS_XRAY_DAEMON_ADDRESS": "169.254.79.129:2000",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1769",
        "LOAN_HASH_KEY": LOAN_HASH_KEY,
    }
    settings = Settings.from_environ(environ)
    assert settings.loan_hasher is not None
    assert settings.loan_hasher.hash("1") == LoanHasher(LOAN_HASH_KEY).hash("1")
    assert LOAN_HASH_KEY not in repr(settings)
    assert settings == Settings(
        bucket="other",
        model="early-payer",
        alias="next",
        alias_ttl_s=0.5,
        s3_endpoint_url="http://127.0.0.1:9000",
        trust=Trust({key_id(PUBLIC_KEY): bytes(range(32))}, require_signature=True),
        service="service",
        metrics_namespace="Space",
        has_metrics=False,
        log_level="DEBUG",
        stage="prod",
        stack="peerloan-late-payers",
        is_traced=True,
        memory_mib=1769,
        loan_hasher=settings.loan_hasher,
    )


def test_empty_counts_as_absent() -> None:
    names = (
        "MODEL_NAME",
        "MODEL_ALIAS",
        "ALIAS_TTL_SECONDS",
        "AWS_ENDPOINT_URL_S3",
        "TRUSTED_PUBLISHERS",
        "STAGE",
        "STACK_NAME",
        "LOAN_HASH_KEY",
    )
    assert Settings.from_environ({**LEAST, **dict.fromkeys(names, "")}) == Settings.from_environ(LEAST)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("MODEL_BUCKET", " "),
        ("MODEL_NAME", "Late Payer"),
        ("MODEL_ALIAS", "latest"),
        ("ALIAS_TTL_SECONDS", "soon"),
        ("ALIAS_TTL_SECONDS", "-1"),
        ("ALIAS_TTL_SECONDS", "nan"),
        ("ALIAS_TTL_SECONDS", "3601"),
        ("AWS_ENDPOINT_URL_S3", "localhost:9000"),
        ("TRUSTED_PUBLISHERS", "MyClass"),
        ("POWERTOOLS_LOG_LEVEL", "LOUD"),
        ("LOAN_HASH_KEY", "tooshort"),
    ],
)
def test_unusable_variable_is_named(variable: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"variable {variable} ") as caught:
        Settings.from_environ({**LEAST, variable: value})
    assert caught.value.variable == variable


@pytest.mark.parametrize("variable", ["POWERTOOLS_TRACE_DISABLED", "AWS_SAM_LOCAL"])
def test_no_traces_where_they_are_switched_off_or_go_nowhere(variable: str) -> None:
    environ = {**LEAST, "AWS_XRAY_DAEMON_ADDRESS": "127.0.0.1:2000", variable: "true"}
    assert not Settings.from_environ(environ).is_traced
