"""docs/models.md is up to date: its table is what is expected of each kind of pipeline."""

from __future__ import annotations

import re

from pipelines.kind import End
from pipelines.page import PAGE, up_to_date
from pipelines.table import FAMILIES, KINDS

TEXT = PAGE.read_text(encoding="utf-8")


def test_the_table_is_what_is_expected_of_each_kind() -> None:
    assert up_to_date(TEXT, FAMILIES) == TEXT, "bring it up to date: make models"


def test_there_are_sixty_nine_kinds_each_with_a_name_of_its_own() -> None:
    assert sum(len(kinds) for kinds in FAMILIES.values()) == len(KINDS) == 69


def test_a_refused_kind_is_found_among_the_refusals_by_its_message() -> None:
    explained = TEXT.partition("## What to do about a refusal")[2].partition("\n## ")[0]
    phrases = re.findall(r'^- "(.+?)"', explained, re.MULTILINE)
    for kind in KINDS.values():
        assert bool(kind.refusal) == (kind.end == End.REFUSED)
        assert not kind.refusal or any(kind.refusal.startswith(phrase) for phrase in phrases), kind.name


def test_no_line_but_a_table_is_longer_than_a_reader_wants() -> None:
    assert [line for line in TEXT.splitlines() if len(line) > 120 and not re.match(r"\|", line)] == []
