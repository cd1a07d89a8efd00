"""``POST /_emulator/reset``: everything is as after a first start, in the same process."""

from __future__ import annotations

import concurrent.futures
import contextlib
import http.client
import json
import re
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from processes import GENEROUS_S, wait_until
from tests.integration.emulator.lambda_client import ONE_ATTEMPT

pytestmark = pytest.mark.fidelity("reset")

TEMPLATE = """
AWSTemplateFormatVersion: "2010-09-09"
Transform: AWS::Serverless-2016-10-31
Globals: {Function: {Runtime: python3.13, CodeUri: source, Timeout: 60, Handler: app.handler}}
Resources:
  Store: {Type: AWS::S3::Bucket, Properties: {BucketName: store}}
  Plain:
    Type: AWS::Serverless::Function
    Properties: {AutoPublishAlias: live, Events: {Get: {Type: HttpApi, Properties: {Path: /plain, Method: GET}}}}
  Snap:
    Type: AWS::Serverless::Function
    Properties:
      AutoPublishAlias: live
      SnapStart: {ApplyOn: PublishedVersions}
      Events: {Get: {Type: HttpApi, Properties: {Path: /snap, Method: GET}}}
"""
SOURCE = """import os, time

def handler(event, context):
    print("a line of the log")
    if event.get("until"):
        while not os.path.exists(event["until"]):
            time.sleep(0.01)
    if event.get("fail"):
        raise ValueError("as asked")
    return {"pid": os.getpid(), "version": context.function_version}
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "template.yaml").write_text(TEMPLATE)
    (tmp_path / "source").mkdir()
    (tmp_path / "source/app.py").write_text(SOURCE)
    return tmp_path


@pytest.fixture
def api(start: Callable[..., Any], project: Path) -> Any:
    return start(
        "-p", "0", "--lambda-port", "0", "--bucket-port", "0", "--data-dir", str(project / "data"),
        "-t", str(project / "template.yaml"), "--async-retry-waits", "0.5,0.5", "--no-watch",
    )  # fmt: skip


@pytest.fixture
def client(api: Any) -> Iterator[Any]:
    url = re.findall(r" \* Running on (\S+)", api.log)[1]
    client = boto3.client("lambda", endpoint_url=url, config=ONE_ATTEMPT)
    yield client
    client.close()


@pytest.fixture
def bucket(api: Any) -> Iterator[Any]:
    (url,) = re.findall(r"Bucket running on (\S+)", api.log)
    client = boto3.client("s3", endpoint_url=url)
    yield client
    client.close()


def status(api: Any) -> dict[str, Any]:
    document: dict[str, Any] = api.get("/_emulator/status").json
    return document


def function(api: Any, name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(entry for entry in status(api)["functions"] if entry["function"] == name)
    return found


def test_functions_logs_faults_counts_and_the_bucket_are_as_after_a_first_start(
    api: Any, client: Any, bucket: Any, tmp_path: Path
) -> None:
    before = {path: api.get(path).json["pid"] for path in ("/plain", "/snap")}
    client.update_function_configuration(FunctionName="Plain", Timeout=7)
    client.get_waiter("function_updated").wait(FunctionName="Plain", WaiterConfig={"Delay": 0.1, "MaxAttempts": 300})
    client.publish_version(FunctionName="Plain")
    client.update_alias(FunctionName="Plain", Name="live", FunctionVersion="2")
    client.put_function_concurrency(FunctionName="Snap", ReservedConcurrentExecutions=0)
    assert api.get("/snap").status == 503
    assert function(api, "Snap")["throttles"] == 1
    assert api.get("/_emulator/faults", "PUT", b'{"faults": [{"actionId": "aws:lambda:invocation-error"}]}').json
    bucket.put_object(Bucket="store", Key="old", Body=b"old")
    bucket.put_bucket_versioning(Bucket="store", VersioningConfiguration={"Status": "Enabled"})
    bucket.create_multipart_upload(Bucket="store", Key="half")
    bucket.create_bucket(Bucket="another")
    assert api.get("/_emulator/logs?group=/aws/lambda/Plain&count=1").json["lines"][0].startswith("REPORT RequestId")
    assert "a line of the log" in api.get("/_emulator/logs?group=/aws/lambda/Plain").json["lines"]
    for wrong in ("", "?group=/aws/lambda/Plain&count=0", "?group=/aws/lambda/Plain&count=1001"):
        assert api.get(f"/_emulator/logs{wrong}").status == 400

    assert api.get("/_emulator/reset", "POST").status == 204

    after = status(api)
    assert (after["faults"], after["logGroups"], after["requests"]["all"]["requests"]) == ([], [], 0)
    assert [bucket["Name"] for bucket in bucket.list_buckets()["Buckets"]] == ["store"]
    assert "Contents" not in bucket.list_objects_v2(Bucket="store")
    assert "Uploads" not in bucket.list_multipart_uploads(Bucket="store")
    assert "Status" not in bucket.get_bucket_versioning(Bucket="store")
    versions = [version["Version"] for version in client.list_versions_by_function(FunctionName="Plain")["Versions"]]
    assert versions == ["$LATEST", "1"]
    assert client.get_alias(FunctionName="Plain", Name="live")["FunctionVersion"] == "1"
    assert client.get_function_configuration(FunctionName="Plain")["Timeout"] == 60
    for path, pid in before.items():
        answer = api.get(path).json
        assert answer["version"] == "1"
        assert answer["pid"] != pid, "no environment of before answers"
    assert client.get_function(FunctionName="Snap", Qualifier="live")["Configuration"]["State"] == "Active"
    plain = function(api, "Plain")
    assert plain["environments"][0]["coldStarts"] == 1
    assert function(api, "Snap")["throttles"] == 0
    assert client.publish_version(FunctionName="Plain")["Version"] == "1", "nothing has changed since version 1"
    for seconds in (8, 9):
        # Without a wait for the end of the first change, which the reset ends.
        client.update_function_configuration(FunctionName="Plain", Timeout=seconds)
        assert api.get("/_emulator/reset", "POST").status == 204


def test_what_is_in_progress_ends_and_has_no_effect_later(api: Any, client: Any, tmp_path: Path) -> None:
    with concurrent.futures.ThreadPoolExecutor() as pool:
        waiting = json.dumps({"until": str(tmp_path / "never")})
        request = pool.submit(client.invoke, FunctionName="Plain", Payload=waiting)
        client.invoke(FunctionName="Snap", InvocationType="Event", Payload=json.dumps({"fail": 1}))
        assert wait_until(lambda: "ValueError" in api.log, GENEROUS_S)
        assert wait_until(
            lambda: any(pool["byState"]["busy"] for pool in function(api, "Plain")["environments"]), GENEROUS_S
        )
        assert api.get("/_emulator/reset", "POST").status == 204
        assert request.result()["FunctionError"] == "Unhandled"
    assert "1 asynchronous invocations had not succeeded yet and are lost" in api.log
    assert all(entry["inFlight"] == 0 for entry in status(api)["functions"])


def test_calls_during_resets_are_answered_after_them(api: Any, client: Any, bucket: Any) -> None:
    """What has begun before a reset may fail: a body that is on its way to the bucket is sent again by boto3."""
    ended = threading.Event()

    def read_aliases() -> int:
        count = 0
        while not ended.is_set():
            assert client.get_alias(FunctionName="Plain", Name="live")["FunctionVersion"] == "1"
            count += 1
        return count

    def change_buckets() -> int:
        count = 0
        while not ended.is_set():
            bucket.create_bucket(Bucket="another")
            with contextlib.suppress(bucket.exceptions.NoSuchBucket):
                bucket.delete_bucket(Bucket="another")
            bucket.put_object(Bucket="store", Key="new", Body=b"new")
            count += 1
        return count

    with concurrent.futures.ThreadPoolExecutor() as pool:
        callers = [pool.submit(work) for work in (read_aliases, read_aliases, change_buckets, change_buckets)]
        try:
            for _ in range(8):
                assert api.get("/_emulator/reset", "POST").status == 204
        finally:
            ended.set()
        assert all(caller.result() for caller in callers)


def test_a_function_that_cannot_be_deployed_is_named_and_refused_as_at_a_start(api: Any, project: Path) -> None:
    shutil.move(project / "source", project / "moved")
    assert api.get("/_emulator/reset", "POST").status == 204
    assert wait_until(lambda: re.search("Plain, property .*source doesn't exist", api.log) is not None, GENEROUS_S)
    assert api.get("/plain").status == 500
    shutil.move(project / "moved", project / "source")
    assert api.get("/_emulator/reset", "POST").status == 204
    assert api.get("/plain").status == 200


def test_only_post_resets_and_no_web_page_of_another_origin(api: Any, bucket: Any) -> None:
    bucket.put_object(Bucket="store", Key="kept", Body=b"kept")
    assert api.get("/_emulator/reset").status == 405
    assert api.get("/_emulator/reset", "POST", Origin="http://evil.example").status == 403
    for headers, expected in (({"Origin": "http://evil.example"}, 403), ({}, 405)):
        host, port = bucket.meta.endpoint_url.removeprefix("http://").split(":")
        method = "POST" if headers else "GET"
        assert _ask(host, int(port), method, headers) == expected
    assert bucket.get_object(Bucket="store", Key="kept")["Body"].read() == b"kept"


def _ask(host: str, port: int, method: str, headers: dict[str, str]) -> int:
    connection = http.client.HTTPConnection(host, port, timeout=GENEROUS_S)
    try:
        connection.request(method, "/_emulator/reset", headers=headers)
        return connection.getresponse().status
    finally:
        connection.close()
