"""What all tests share: the table of faults that `make reliability` writes.

Every test that holds a row of the faults that the project is meant to survive is marked ``fault(number)``; this
collects their outcomes, so that docs/reliability.md can say which test holds which row.
"""

from __future__ import annotations

import json
import os
import signal
from collections import defaultdict
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from processes import emulator_process

# As the template has it for the function. Read when a model library is first imported, and by every child process.
os.environ["OMP_NUM_THREADS"] = "1"

# A shell's background job ignores SIGINT, and so would every process that a test starts and interrupts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--fault-report", type=Path, help="write the outcomes of the fault tests to this JSON file")


@pytest.fixture(scope="session")
def local_bucket_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The local bucket as a process of its own, on a free port."""
    folder = tmp_path_factory.mktemp("bucket")
    with emulator_process(folder, "bucket", "--data-dir", str(folder / "data")) as (_, url):
        yield url


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
