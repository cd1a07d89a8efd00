"""The driver of a job that tallies days of the prediction log; writes the documents that the monitor would store."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from model_registry import names
from model_watch.log_objects import ONE_DAY, Folder, is_before
from model_watch.tally import DayTally
from model_watch.tally_store import day_document
from peerloan.spark import log_parts
from peerloan.spark.log_parts import FOLDER, KEY, LINES_SCHEMA, NUMBER, PART, TALLIES_SCHEMA


def tally(spark: SparkSession, model: str, source: str, out: str, first: date, last: date) -> dict[str, Any]:
    """Tally the days from ``first`` to ``last``; return what was written."""
    days = [first + number * ONE_DAY for number in range((last - first).days + 1)]
    paths = {
        day: _list(spark, f"{source.rstrip('/')}/log/dt={day}") for day in (first - ONE_DAY, *days, last + ONE_DAY)
    }
    # So many bytes of objects come in a batch, or one larger object.
    spark.conf.set("spark.sql.files.maxPartitionBytes", 32 << 20)
    tallies = {day: DayTally(day) for day in days}
    wanted = [path for folder, of_folder in paths.items() for path in of_folder if _may_count(path, folder, days)]
    for row in _fold(spark, model, days, wanted).collect() if wanted else ():
        part = DayTally.from_document(json.loads(row["tally"]))
        tallies[part.day] += part
    folders = {day: Folder.of(sorted(map(log_parts.key_of, of_day))) for day, of_day in paths.items()}
    written = []
    for day in days:
        counted = {folder: folders[folder] for folder in (day - ONE_DAY, day, day + ONE_DAY)}
        written.append(f"{out.rstrip('/')}/{names.monitor_day_key(model, day)}")
        _write(spark, written[-1], day_document(model, tallies[day], counted))
    return {"written": written}


def _fold(spark: SparkSession, model: str, days: Sequence[date], paths: Sequence[str]) -> DataFrame:
    parts = 4 * spark.sparkContext.defaultParallelism
    objects = spark.read.format("binaryFile").load(list(paths)).select("path", "content")
    lines = objects.mapInArrow(lambda batches: log_parts.split_objects(model, parts, batches), LINES_SCHEMA)
    by_request = lines.repartition(parts, PART).sortWithinPartitions(FOLDER, KEY, NUMBER)
    return by_request.mapInArrow(lambda batches: log_parts.tally_parts(model, days, batches), TALLIES_SCHEMA)


def _may_count(path: str, folder: date, days: Sequence[date]) -> bool:
    """Say whether an object's name leaves it possible that it has lines of the days that its folder is read for."""
    since = min(day for day in days if day >= folder - ONE_DAY)
    return not is_before(log_parts.key_of(path), datetime.combine(since, time(), UTC))


def _list(spark: SparkSession, folder: str) -> list[str]:
    """Return the paths of all files in a folder; none if it doesn't exist."""
    files, path = file_of(spark, folder)
    if not files.exists(path):
        return []
    found, paths = files.listFiles(path, True), []
    while found.hasNext():
        paths.append(found.next().getPath().toString())
    return paths


def _write(spark: SparkSession, place: str, document: bytes) -> None:
    files, path = file_of(spark, place)
    # In S3 the object appears whole when it is closed.
    stream = files.create(path, True)
    try:
        stream.write(bytearray(document))
    finally:
        stream.close()


def file_of(spark: SparkSession, place: str) -> tuple[Any, Any]:
    """Return Hadoop's file system of a place, and its path there."""
    jvm: Any = spark.sparkContext._jvm  # noqa: SLF001 - PySpark has no other way to Hadoop's file systems
    path = jvm.org.apache.hadoop.fs.Path(place)
    return path.getFileSystem(spark.sparkContext._jsc.hadoopConfiguration()), path  # noqa: SLF001
