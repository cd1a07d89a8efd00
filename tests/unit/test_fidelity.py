"""docs/emulator-fidelity.md is up to date: each behaviour has its tests, and its differences are the tested ones."""

from __future__ import annotations

import re

from tests.fidelity import PAGE, ROOT, marked_tests, up_to_date

TEXT = PAGE.read_text(encoding="utf-8")
FOOTNOTES = re.findall(r"^\[\^([\w-]+)\]: ", TEXT, re.MULTILINE)


def test_the_page_is_what_the_script_writes() -> None:
    assert up_to_date(TEXT) == TEXT, "bring it up to date: python -m tests.fidelity"


def test_every_behaviour_has_a_test_and_every_marker_a_behaviour() -> None:
    references = re.findall(r"\[\^([\w-]+)\](?!:)", TEXT)
    assert len(references) > 100
    assert sorted(references) == sorted(FOOTNOTES) == sorted(marked_tests(ROOT / "tests"))


def test_every_imitated_behaviour_has_a_footnote() -> None:
    imitated = TEXT.partition("## Known differences")[0]
    items = re.findall(r"^- .*(?:\n  .*)*", imitated, re.MULTILINE)
    assert len(items) > 100
    assert [item for item in items if not re.search(r"\[\^[\w-]+\]$", item)] == []


def test_no_line_is_longer_than_a_reader_wants() -> None:
    assert [line for line in TEXT.splitlines() if len(line) > 120 and "](" not in line] == []
