"""Real kills: a writer killed with -9 at each of its writes, and the bucket killed under a stream of updates."""

from __future__ import annotations

import itertools
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from model_registry.alias import AliasConflictError
from model_registry.errors import StoreUnavailableError
from model_registry.reader import RegistryReader
from model_registry.stores.s3 import S3Store, make_s3_client
from processes import emulator_process
from registry_kit import make_candidate, make_writer

WRITER = """
import os, signal, sys
from registry_kit import CutOffStore, make_candidate, make_writer
from model_registry.stores.s3 import S3Store, make_s3_client
operation, url, bucket, step, effective = sys.argv[1:]
store = CutOffStore(S3Store(bucket, make_s3_client(url)), int(step), effective=effective == "after",
                    die=lambda: os.kill(os.getpid(), signal.SIGKILL))
writer = make_writer(store, "killed")
if operation == "publish":
    writer.publish(make_candidate(b"pickle 3"))
elif operation == "assign":
    writer.assign("live", 2)
else:
    writer.roll_back("live")
"""
BUCKETS = (f"kills-{number}" for number in itertools.count())


def run_killed(operation: str, url: str, bucket: str, step: int, moment: str) -> None:
    command = [sys.executable, "-c", WRITER, operation, url, bucket, str(step), moment]
    paths = [str(Path("layers/shared").resolve()), str(Path("tests/kit").resolve())]
    environ = {
        "PYTHONPATH": ":".join(paths),
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    done = subprocess.run(command, env=environ, check=False, capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr


@pytest.mark.fault(17)
@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize(
    ("operation", "step"),
    [("publish", 1), ("publish", 2), ("publish", 3), ("assign", 1), ("assign", 2), ("rollback", 1), ("rollback", 2)],
)
def test_fault_17_a_writer_killed_at_any_write_leaves_old_or_new_and_rerun_converges(
    local_bucket_url: str, operation: str, step: int, moment: str
) -> None:
    client = make_s3_client(local_bucket_url)
    bucket = next(BUCKETS)
    client.create_bucket(Bucket=bucket)
    store = S3Store(bucket, client)
    writer, reader = make_writer(store), RegistryReader(store)
    writer.publish(make_candidate(b"pickle 1"))
    writer.publish(make_candidate(b"pickle 2"))
    writer.assign("live", 2)
    writer.assign("live", 1)

    run_killed(operation, local_bucket_url, bucket, step, moment)

    if operation == "publish":
        assert reader.list_versions() in ([1, 2], [1, 2, 3])
        assert writer.publish(make_candidate(b"pickle 3")).manifest.version == 3
        assert reader.list_versions() == [1, 2, 3]
    else:
        assert reader.get_alias("live").alias.version in (1, 2)
        assert writer.assign("live", 2).version == 2
        revisions = [entry.revision for entry in reader.history("live")]
        assert revisions == list(range(1, len(revisions) + 1))
    client.close()


@pytest.mark.fault(17)
def test_fault_17_no_acknowledged_update_is_lost_when_the_bucket_is_killed(tmp_path: Path) -> None:
    """Updates run until the bucket is gone; after a restart the alias is at the last acknowledged one, or one later."""
    folder = ["--data-dir", str(tmp_path / "data"), "--bucket", "models"]
    acknowledged = 0
    with emulator_process(tmp_path, "bucket", *folder) as (process, url):
        client = make_s3_client(url, max_attempts=1)
        writer = make_writer(S3Store("models", client))
        writer.publish(make_candidate(b"pickle 1"))
        for number in range(1, 200):
            try:
                acknowledged = writer.assign("live", 1, reason=str(number)).revision
            except (StoreUnavailableError, AliasConflictError):
                break
            if number == 25:
                process.kill()
        client.close()
    with emulator_process(tmp_path, "bucket", *folder) as (_, url):
        client = make_s3_client(url)
        history = RegistryReader(S3Store("models", client)).history("live")
        client.close()
    assert acknowledged >= 25
    assert history[-1].revision in (acknowledged, acknowledged + 1)
    assert [entry.revision for entry in history] == list(range(1, len(history) + 1))
