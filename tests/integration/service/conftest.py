"""The whole service on this machine: the local bucket, two published models, the emulator running template.yaml."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator

import pytest

from model_artifact.opening.inspection import inspect_candidate
from model_registry.stores.s3 import S3Store, make_s3_client
from peerloan.stack import UNTHROTTLED
from processes import emulator_process
from registry_kit import make_writer
from service_kit import ALIAS_TTL_S, PROJECT, Service
from training import data, run
from training.data import Quarters
from training.recipes.contenders import MONOTONE

BUCKET = "models"


@pytest.fixture(scope="session")
def quarters() -> Quarters:
    """The real data where PEERLOAN_DATA names them, else generated ones."""
    return data.load(None, os.environ)


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory, quarters: Quarters) -> Iterator[Service]:
    """The service, with a small forest as version 1, boosted trees as version 2, and ``live`` at version 1."""
    folder = tmp_path_factory.mktemp("service")
    words = ["--data-dir", str(folder / "data"), "--bucket", BUCKET]
    with emulator_process(folder, "bucket", *words) as (_, bucket_url), pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", "test")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        client = make_s3_client(bucket_url)
        writer = make_writer(S3Store(BUCKET, client), inspect=inspect_candidate)
        # What is served needs neither the selection nor the comparison, which take a minute.
        results = [
            run.train("basic", quarters, n_estimators=4),
            run.train("improved", quarters, n_estimators=10, contender=MONOTONE.name, is_compared=False),
        ]
        pipelines = {writer.publish(result.candidate).manifest.version: result.pipeline for result in results}
        writer.assign("live", 1)
        variables = {"MODEL_BUCKET": BUCKET, "AWS_ENDPOINT_URL_S3": bucket_url, "ALIAS_TTL_SECONDS": str(ALIAS_TTL_S)}
        env_vars = folder / "env.json"
        env_vars.write_text(json.dumps({"Parameters": variables}))
        template = ["--template", str(PROJECT / "template.yaml"), "--env-vars", str(env_vars), "--no-config"]
        # Under load the tests look for requests that are lost, not for those that the API's throttling turns away.
        template += [*UNTHROTTLED, "AuthMode=open"]
        with emulator_process(folder, "start-api", *template) as (_, url):
            yield Service(url, writer, pipelines)
        client.close()
