"""Making the bucket's client: quickly, and with nothing missing that botocore would have found by itself."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from botocore.exceptions import UnknownServiceError
from botocore.loaders import Loader

from model_registry.stores.s3 import QuickLoader, make_s3_client


@pytest.mark.parametrize("kind", ["service-2", "endpoint-rule-set-1", "paginators-1"])
def test_descriptions_are_the_ones_that_botocore_finds(kind: str) -> None:
    loader = QuickLoader(None)
    for service in ("s3", "sts", "s3"):
        if (service, kind) != ("sts", "paginators-1"):
            assert loader.load_service_model(service, kind) == Loader().load_service_model(service, kind)
    with pytest.raises(UnknownServiceError):
        loader.load_service_model("no-such-service", kind)


def test_folders_of_the_environment_are_searched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOMEWHERE", str(tmp_path))
    folder = tmp_path / "s3/2999-01-01"
    folder.mkdir(parents=True)
    (folder / "service-2.json").write_text(json.dumps({"found": True}))
    assert QuickLoader("$SOMEWHERE").load_service_model("s3", "service-2") == {"found": True}


def test_client_has_the_time_outs_and_tries_that_were_asked_for() -> None:
    client = make_s3_client("http://127.0.0.1:9", connect_timeout_s=0.5, read_timeout_s=1.5, max_attempts=2)
    config = client.meta.config
    assert (config.connect_timeout, config.read_timeout) == (0.5, 1.5)
    assert config.retries == {"mode": "standard", "total_max_attempts": 2}
    assert config.s3 == {"addressing_style": "path"}
    assert client.meta.endpoint_url == "http://127.0.0.1:9"
    client.close()
