"""Which version a start without an alias takes, the forms of weights and shadows, and what a history shows."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from memory_store import InMemoryStore
from model_registry.alias import RoutingConfig, Shadow
from model_registry.errors import AliasNotFoundError
from peerloan.__main__ import app
from peerloan.commands.alias import alias, alias_line, evidence_line, parse_shadow, parse_weights
from peerloan.errors import EXIT_FAILED, EXIT_USAGE, NoLiveVersionError, UsageError, exit_code
from peerloan.first_model import find_only_version
from registry_kit import believe, make_candidate, make_writer


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


def test_a_shadow_is_read_with_or_without_its_share() -> None:
    assert parse_shadow(None, None) is None
    assert parse_shadow("3", None) == Shadow(3, 1.0)
    assert parse_shadow("3=.5", 20) == Shadow(3, 0.5, 20)


@pytest.mark.parametrize(
    ("text", "budget_ms", "message"),
    [("x", None, "'x' isn't a shadow"), ("3=x", None, "8=0.5"), (None, 20.0, "name its version")],
)
def test_a_shadow_that_can_not_be_right_is_refused(text: str | None, budget_ms: float | None, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse_shadow(text, budget_ms)


def test_a_shadow_from_a_pickle_needs_a_budget() -> None:
    writer = make_writer(InMemoryStore(), inspect=lambda *of: replace(believe(*of), serving_form=None))
    workplace = SimpleNamespace(writer=lambda: writer)
    for number in (1, 2):
        writer.publish(make_candidate(b"pickle %d" % number))
    words = ("set", "live", "--version", "1", "--shadow", "2")
    with pytest.raises(UsageError, match=r"Version 2 is served from its pickle.*--shadow-budget-ms 20"):
        run(workplace, *words)
    assert writer.reader.list_aliases() == []
    assert "version 2 for 100.0% within 20 ms" in run(workplace, *words, "--shadow-budget-ms", "20")


def test_a_misspelt_alias_is_told_from_the_aliases_that_exist() -> None:
    writer = make_writer(InMemoryStore())
    writer.publish(make_candidate())
    with pytest.raises(AliasNotFoundError, match=r"no alias 'lve'\. See which exist: peerloan versions"):
        writer.reader.get_alias("lve")
    set_alias = partial(CliRunner().invoke, alias, obj=SimpleNamespace(writer=lambda: writer))
    assert "'lve' is a new alias. The service follows 'live'" in set_alias(["set", "lve", "--version", "1"]).stderr
    assert set_alias(["set", "lve", "--version", "1"]).stderr == ""
    assert set_alias(["set", "live", "--version", "1"]).stderr == ""


JUDGEMENTS = [{"guard": "flips", "verdict": "pass", "n": 900}, {"guard": "crashes", "verdict": "inconclusive"}]


@pytest.mark.parametrize(
    ("evidence", "line"),
    [
        ({}, ""),
        ({"step": 2, "guards": JUDGEMENTS}, "step 2, flips pass, crashes inconclusive"),
        ({"why": "asked for", "n": [1, None]}, "why asked for, n [1, null]"),
        ({"guards": [{"name": "flips"}]}, 'guards [{"name": "flips"}]'),
    ],
)
def test_evidence_is_said_in_a_line(evidence: dict[str, object], line: str) -> None:
    assert evidence_line(evidence) == line


def test_an_alias_is_said_in_a_line_with_its_shadow() -> None:
    writer = make_writer(InMemoryStore())
    for number in (1, 2):
        writer.publish(make_candidate(b"pickle %d" % number))
    canary = writer.assign("live", 1, routing_config=RoutingConfig({2: 0.1}), shadow=Shadow(2, 0.5, 20))
    assert alias_line(canary.to_document()) == (
        "live -> version 1, of which 10.0% to version 2, in the shadow version 2 for 50.0% within 20 ms "
        "(revision 1, by tester)"
    )
    assert alias_line(writer.assign("live", 1).to_document()) == "live -> version 1 (revision 2, by tester)"


def run(workplace: object, *words: str) -> str:
    result = CliRunner().invoke(alias, words, obj=workplace, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_get_and_history_show_who_when_why_rollout_and_evidence() -> None:
    writer = make_writer(InMemoryStore(), "ann")
    workplace = SimpleNamespace(reader=lambda: writer.reader, writer=lambda: writer)
    for number in (1, 2):
        writer.publish(make_candidate(b"pickle %d" % number))
    run(workplace, "set", "live", "--version", "1", "--reason", "first")
    assert "shadow" not in run(workplace, "history", "live")
    assert "evidence" not in run(workplace, "get", "live")
    run(workplace, "set", "live", "--version", "1", "--shadow", "2=.5", "--reason", "look first")
    assert run(workplace, "get", "live").splitlines() == [
        "live -> version 1, in the shadow version 2 for 50.0% (revision 2, by ann)",
        "since    2026-01-01T00:00:05, UTC",
        "reason   look first",
        "rollout  live-2",
    ]
    evidence = {"step": 1, "guards": JUDGEMENTS}
    writer.assign("live", 1, routing_config=RoutingConfig({2: 0.1}), rollout="to-2", evidence=evidence, reason="step")
    assert run(workplace, "get").splitlines()[-1] == "evidence step 1, flips pass, crashes inconclusive"
    lines = run(workplace, "history").splitlines()
    assert " ".join(lines[0].split()) == "revision version weights shadow when by rollout reason evidence"
    assert re.search("^2 +1 +version 2 for 50.0% .* ann +live-2 +look first$", lines[2])
    assert re.search(
        "^3 +1 +10.0% to version 2 .* ann +to-2 +step +step 1, flips pass, crashes inconclusive$", lines[3]
    )
    documents = json.loads(run(workplace, "history", "--json"))
    assert [document.get("shadow") for document in documents] == [
        None,
        {"version": 2, "share": 0.5, "budget_ms": None},
        None,
    ]
    assert documents[2]["evidence"] == evidence
    # A plain set ends what was under way.
    run(workplace, "set", "live", "--version", "1")
    assert json.loads(run(workplace, "get", "--json")).keys() & {"shadow", "evidence"} == set()


@pytest.mark.parametrize(
    "command", [["alias", "set", "live", "--version", "1"], ["alias", "rollback"], ["publish", "x"]]
)
def test_a_reason_that_is_not_utf_8_is_refused(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        app([*command, "--reason", b"caf\xe9".decode("utf-8", "surrogateescape")])
    assert caught.value.code == EXIT_USAGE
    assert "the text isn't UTF-8" in capsys.readouterr().err
