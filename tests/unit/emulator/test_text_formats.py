"""Texts as AWS's protocols have them."""

from __future__ import annotations

import datetime as dt
from xml.etree import ElementTree as ET

from emulator.text_formats import in_milliseconds, xml_node

MOMENT = dt.datetime(2026, 1, 2, 3, 4, 5, 678_900, tzinfo=dt.UTC)


def test_a_mapping_has_children_and_a_list_is_one_element_each() -> None:
    content = {"A": [1, {"B": True}], "C": None, "D": [], "E": MOMENT}
    assert xml_node("R", content) == "<R><A>1</A><A><B>true</B></A><E>2026-01-02T03:04:05.678Z</E></R>"


def test_items_with_a_name_are_in_one_element() -> None:
    assert xml_node("R", {"A": [1, 2], "B": []}, item_name="member") == (
        "<R><A><member>1</member><member>2</member></A><B></B></R>"
    )


def test_what_xml_does_not_have_is_replaced_and_the_rest_escaped() -> None:
    text = "<&>\"'\n\t\x00\x1f\ud800\uffff ü"
    assert ET.fromstring(xml_node("R", text)).text == "<&>\"'\n\t\ufffd\ufffd\ufffd\ufffd ü"
    assert xml_node("R", "\x01", is_readable=False) == "<R>&#1;</R>"


def test_milliseconds_are_cut_off() -> None:
    assert in_milliseconds(MOMENT) == "2026-01-02T03:04:05.678Z"
