"""The list in the trace header by which a function that calls itself is recognised."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from emulator.lambda_service.data_plane.event_queue.recursion import MAX_CALLS_IN_CHAIN, count_call

REQUEST = "5e7b0d2a-1111-4222-8333-444455556666"


@pytest.mark.fidelity("recursive-loop")
def test_each_call_of_a_chain_is_counted_by_function() -> None:
    header, calls = "", 0
    for number in range(1, MAX_CALLS_IN_CHAIN + 2):
        # As botocore sends it.
        header, calls = count_call(quote(header, safe="-=;:"), REQUEST, "arn:a")
        assert calls == number
        header, others = count_call(header, REQUEST, "arn:b")
        assert others == number
    assert header.startswith("Root=1-5e7b0d2a-111142228333444455556666;Parent=5e7b0d2a11114222;Sampled=0;Lineage=")


@pytest.mark.parametrize("header", ["Root=1-2-3", "Root=1-2-3;Lineage=", "Root=1-2-3;Lineage=nothing|12:x"])
def test_a_header_without_a_list_begins_a_chain(header: str) -> None:
    made, calls = count_call(header, REQUEST, "arn:a")
    assert made.startswith("Root=1-2-3;Lineage=")
    assert calls == 1
