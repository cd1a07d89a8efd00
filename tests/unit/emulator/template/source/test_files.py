"""A template's files: which one is taken, and what YAML and JSON in it mean."""

from __future__ import annotations

from pathlib import Path

import pytest

from emulator.template.errors import TemplateError
from emulator.template.source.files import find_template, read_template_file


@pytest.mark.fidelity("template-dates")
@pytest.mark.parametrize(
    "text",
    ["2010-09-09", "2012-10-17", "2026-01-31T10:00:00Z", "2026-01-31 10:00:00.5 +01:00", "2026-13-01"],
)
def test_dates_and_times_stay_the_text_that_is_written(tmp_path: Path, text: str) -> None:
    path = tmp_path / "template.yaml"
    path.write_text(f"Version: {text}\nList: [{text}]\n{text[:4]}-01-01: key\n")
    assert read_template_file(path) == {"Version": text, "List": [text], f"{text[:4]}-01-01": "key"}


def test_other_scalars_are_what_yaml_says(tmp_path: Path) -> None:
    path = tmp_path / "template.yaml"
    path.write_text("{a: 1, b: 1.5, c: true, d: , e: '2010-09-09', f: !Ref X}")
    assert read_template_file(path) == {
        "a": 1, "b": 1.5, "c": True, "d": None, "e": "2010-09-09", "f": {"Ref": "X"},
    }  # fmt: skip


def test_keys_are_text_as_in_cloudformation(tmp_path: Path) -> None:
    path = tmp_path / "template.yaml"
    path.write_text("A: &a {123456789012: 1, on: 2, ~: 3, 1.50: 4}\nB: {<<: *a, 0x1F: 5}\n")
    content = {"123456789012": 1, "on": 2, "~": 3, "1.50": 4}
    assert read_template_file(path) == {"A": content, "B": {**content, "0x1F": 5}}


def test_json_may_be_indented_by_tabs_and_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "template.json"
    path.write_text('\ufeff{\n\t"Resources": {"A": {"Ref": "B"}}\n}', encoding="utf-8")
    assert read_template_file(path) == {"Resources": {"A": {"Ref": "B"}}}


@pytest.mark.parametrize("text", ["a: [", "{", "&a [*a", "\x00", "[" * 5000])
def test_what_is_neither_yaml_nor_json_is_an_error_of_the_file(tmp_path: Path, text: str) -> None:
    path = tmp_path / "template.yaml"
    path.write_text(text)
    with pytest.raises(TemplateError, match=r"template\.yaml is not YAML"):
        read_template_file(path)


@pytest.mark.fidelity("default-template")
def test_the_default_template_is_the_built_one_or_else_the_source(tmp_path: Path) -> None:
    with pytest.raises(
        TemplateError, match=r"has no template\.yaml, template\.yml or template\.json: name one with -t"
    ):
        find_template(tmp_path)
    for name in ("template.json", "template.yml", "template.yaml", ".aws-sam/build/template.yaml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
        assert find_template(tmp_path) == tmp_path / name
