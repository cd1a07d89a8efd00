"""Which version a start without an alias takes, and the form of weights."""

from __future__ import annotations

import pytest

from memory_store import InMemoryStore
from model_registry.errors import AliasNotFoundError
from peerloan.__main__ import app
from peerloan.commands.alias import parse_weights
from peerloan.errors import EXIT_FAILED, EXIT_USAGE, NoLiveVersionError, UsageError, exit_code
from peerloan.first_model import find_only_version
from registry_kit import make_candidate, make_writer


def test_an_empty_bucket_has_no_version_to_begin_with() -> None:
    assert find_only_version(make_writer(InMemoryStore()).reader) is None


def test_a_start_cut_off_before_the_alias_was_set_converges_on_its_one_version() -> None:
    writer = make_writer(InMemoryStore())
    writer.publish(make_candidate())
    assert find_only_version(writer.reader) == 1


def test_several_versions_without_an_alias_need_a_choice() -> None:
    writer = make_writer(InMemoryStore())
    for number in (1, 2):
        writer.publish(make_candidate(b"pickle %d" % number))
    with pytest.raises(NoLiveVersionError, match=r"versions 1, 2.*peerloan alias set live --version") as caught:
        find_only_version(writer.reader)
    assert (caught.value.versions, exit_code(caught.value)) == ((1, 2), EXIT_FAILED)
    with pytest.raises(AliasNotFoundError):
        writer.reader.get_alias("live")


def test_weights_are_read() -> None:
    assert parse_weights([]) == {}
    assert parse_weights(["2=.1", "3=0.25"]) == {2: 0.1, 3: 0.25}


@pytest.mark.parametrize(
    ("words", "message"),
    [(["2=.1", "2=.2"], "Version 2 has two"), (["2"], "8=0.1"), (["a=1"], "8=0.1"), (["2=x"], "8=")],
)
def test_weights_that_can_not_be_right_are_refused(words: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse_weights(words)


@pytest.mark.parametrize(
    "command", [["alias", "set", "live", "--version", "1"], ["alias", "rollback"], ["publish", "x"]]
)
def test_a_reason_that_is_not_utf_8_is_refused(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        app([*command, "--reason", b"caf\xe9".decode("utf-8", "surrogateescape")])
    assert caught.value.code == EXIT_USAGE
    assert "the text isn't UTF-8" in capsys.readouterr().err
