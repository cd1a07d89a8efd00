"""What all tests share: the order they run in, a bucket, credentials that do no harm, the outcomes of fault tests.

A test that holds a row of docs/reliability.md is marked ``fault(number)``. The outcomes of these tests are collected,
so that `make reliability` can write which test holds which row.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import sys
from collections import defaultdict
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from xdist.remote import Producer
from xdist.scheduler import LoadGroupScheduling

from forked_programs import forked_programs
from model_artifact.opening.child_process import warm_processes
from processes import emulator_process

# As the template has it for the function. Read when a model library is first imported, and by every child process.
os.environ["OMP_NUM_THREADS"] = "1"

# Where PYTHONDONTWRITEBYTECODE is set, each process of the run would compile the tests and the project anew. The
# processes that tests start still heed it: a handler that changes twice within a second must not be read from a cache.
sys.dont_write_bytecode = False

# A shell's background job ignores SIGINT, and so would every process that a test starts and interrupts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# How long an example takes says more of the machine than of the code.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")

# What takes longest begins first, so that no process is left alone with it at the end.
LONGEST_FIRST = (
    "tests/integration/training/",
    "tests/integration/load/",
    "tests/integration/service/",
    "tests/integration/peerloan/",
    "tests/integration/model_artifact/",
    "tests/unit/training/",
    "tests/integration/",
)
MOST_PROCESSES = 16
# Modules and folders whose tests share something that takes long to make. One process runs them all, or each would make
# it anew.
IN_ONE_PROCESS = (
    "tests/integration/emulator/lambda_service/test_control_api.py",
    "tests/integration/emulator/lambda_service/test_invoke_with_boto3.py",
    "tests/integration/peerloan/test_deploy.py",
    "tests/integration/peerloan/test_gates_and_report.py",
    "tests/integration/peerloan/test_handover.py",
    "tests/integration/peerloan/test_score.py",
    "tests/integration/service/",
    "tests/integration/training/test_real_data.py",
    "tests/unit/model_artifact/serving_form/scorers/",
    "tests/unit/model_artifact/serving_form/test_form.py",
    "tests/unit/model_artifact/serving_form/test_parity.py",
    "tests/unit/training/evidence/report/test_report.py",
    "tests/unit/training/test_run.py",
)


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Return twice the processors: a test that starts a stack waits for half of its time."""
    return min(2 * (os.cpu_count() or 1), MOST_PROCESSES)


class SharedModules(LoadGroupScheduling):
    """Gives out single tests, and the modules and folders of ``IN_ONE_PROCESS`` whole.

    ``xdist_group`` marks would say the same, but have no effect with pytest 9.
    """

    def _split_scope(self, nodeid: str) -> str:
        return next((shared for shared in IN_ONE_PROCESS if nodeid.startswith(shared)), nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> SharedModules:
    """Return the scheduler of the tests among processes."""
    config.option.loadscopereorder = False  # The order is that of LONGEST_FIRST.
    return SharedModules(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Spare the garbage collector what lives as long as the run: the tests, and the libraries that they import."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort the tests by how long those of their folder take."""

    def rank(item: pytest.Item) -> int:
        return next((n for n, folder in enumerate(LONGEST_FIRST) if item.nodeid.startswith(folder)), len(LONGEST_FIRST))

    items.sort(key=rank)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--fault-report", type=Path, help="write the outcomes of the fault tests to this JSON file")


@pytest.fixture(scope="session")
def local_bucket_url(tmp_path_factory: pytest.TempPathFactory, warm_programs: None) -> Iterator[str]:
    """The local bucket as a process of its own, on a free port."""
    folder = tmp_path_factory.mktemp("bucket")
    with emulator_process(folder, "bucket", "--data-dir", str(folder / "data")) as (_, url):
        yield url


@pytest.fixture(scope="session", autouse=True)
def warm_model_processes() -> Iterator[None]:
    """Candidates are opened in forks of one process, which is started for the first of them."""
    with warm_processes():
        yield


@pytest.fixture(scope="session", autouse=True)
def warm_programs() -> Iterator[None]:
    """The emulator and ``peerloan`` are forks of processes that have imported them."""
    with forked_programs():
        yield


@pytest.fixture(autouse=True)
def aws_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials and a region that no test can do harm with."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.delenv("AWS_ENDPOINT_URL_S3", raising=False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Write the rows that a test holds into its report, which travels between processes as the marker does not."""
    report = yield
    report.user_properties += [("fault", number) for marker in item.iter_markers("fault") for number in marker.args]
    return report


class FaultReport:
    """Collects fault number, test and outcome, and writes them when the run ends."""

    def __init__(self, target: Path) -> None:
        self._target = target
        self._outcomes: dict[int, dict[str, str]] = defaultdict(dict)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        for name, number in report.user_properties:
            if name == "fault" and (report.when == "call" or report.failed):
                self._outcomes[int(str(number))][report.nodeid] = report.outcome

    def pytest_sessionfinish(self) -> None:
        self._target.parent.mkdir(parents=True, exist_ok=True)
        self._target.write_text(json.dumps(self._outcomes, indent=1, sort_keys=True))


def pytest_configure(config: pytest.Config) -> None:
    target = config.getoption("--fault-report")
    if target and not hasattr(config, "workerinput"):
        config.pluginmanager.register(FaultReport(target))
