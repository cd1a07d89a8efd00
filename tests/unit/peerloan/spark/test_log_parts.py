"""Parts of a log add up to what one machine stores, to the last byte, however often a line was delivered."""

from __future__ import annotations

import json
from itertools import groupby
from operator import itemgetter
from typing import Any

import pyarrow
import pytest

from log_folders import DAYS, log_objects
from log_texts import MODEL
from memory_store import InMemoryStore
from model_registry.names import monitor_day_key
from model_watch.log_objects import ONE_DAY, Folder
from model_watch.tally import DayTally
from model_watch.tally_store import day_document, refresh
from peerloan.spark.log_parts import FOLDER, KEY, NUMBER, PART, folder_of, split_objects, tally_parts


def lines_of(objects: dict[str, bytes], parts: int) -> list[dict[str, Any]]:
    paths = [f"s3a://bucket/{key}" for key in objects]
    batch = pyarrow.RecordBatch.from_pydict({"path": paths, "content": list(objects.values())})
    return [line for batch in split_objects(MODEL, parts, [batch]) for line in batch.to_pylist()]


@pytest.mark.parametrize("parts", [1, 7])
def test_the_parts_add_up_to_the_documents_of_the_monitor(parts: int) -> None:
    objects = log_objects()
    store = InMemoryStore()
    for key, body in objects.items():
        store.put(key, body)
    refresh(store, store, MODEL, DAYS[0], DAYS[-1])
    read = {key: body for key, body in objects.items() if folder_of(key) <= (DAYS[-1] + ONE_DAY).isoformat()}
    lines = sorted(lines_of(read, parts), key=itemgetter(PART, FOLDER, KEY, NUMBER))
    tallies = {day: DayTally(day) for day in DAYS}
    for _, part in groupby(lines, itemgetter(PART)):
        for batch in tally_parts(MODEL, DAYS, [pyarrow.RecordBatch.from_pylist(list(part))]):
            for row in batch.to_pylist():
                tally = DayTally.from_document(json.loads(row["tally"]))
                tallies[tally.day] += tally
    assert tallies[DAYS[0]].damaged == 4
    for day in DAYS:
        beside = (day - ONE_DAY, day, day + ONE_DAY)
        folders = {folder: Folder.of(sorted(store.list_keys(f"log/dt={folder}/"))) for folder in beside}
        assert day_document(MODEL, tallies[day], folders) == store.get(monitor_day_key(MODEL, day)).body


def test_the_lines_of_an_invocation_are_in_one_part() -> None:
    parts: dict[str, set[int]] = {}
    for line in lines_of(log_objects(), 50):
        if line["text"] and b"invocation_id" in line["text"]:
            parts.setdefault(json.loads(line["text"])["invocation_id"], set()).add(line[PART])
    assert len(parts) > 500
    assert set(map(len, parts.values())) == {1}
