"""The driver of a Spark job: reads its parameters, and has the workers score.

Partition files are written by Spark's committer: a task that fails or is killed leaves nothing behind, and runs again.
Tasks report their rejected rows to the driver, which writes them. Only if these are too many for its memory, the input
is read a second time, and the workers write them.
"""

from __future__ import annotations

import argparse
import json
import pkgutil
import re
import sys
from collections.abc import Callable, Sequence
from datetime import date
from io import BytesIO
from pathlib import Path
from typing import Any

from pyspark.accumulators import Accumulator
from pyspark.errors import AnalysisException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as sql
from pyspark.sql.pandas.types import from_arrow_schema, to_arrow_schema

from batch_scoring.arrow_batches import check_schema, scored_schema
from batch_scoring.csv_header import check_is_csv, read_header
from batch_scoring.errors import BatchScoringError, UnusableFileError
from batch_scoring.results import result_columns
from batch_scoring.source_file import SourceFile
from model_artifact.schema import FIELD_NAMES, LOAN_ID
from peerloan.spark import csv_blocks, tables
from peerloan.spark.csv_blocks import BLOCK_START, FILE, IS_LAST, LINE, CsvJob
from peerloan.spark.pinned_version import ARRAYS, MANIFEST, PinnedVersion
from peerloan.spark.reports import Report, ReportSum
from peerloan.spark.tally_job import file_of, tally

_BATCH_BYTES = "spark.sql.execution.arrow.maxBytesPerBatch"
_REJECTS = "file string, line long, column string, code string, detail string"
_FAULT = re.compile(r"^(?:batch_scoring|model_artifact|model_registry)\.[\w.]*Error: (.*)$", re.MULTILINE)
# Spark's own messages about an input that isn't there or can't be read.
_UNUSABLE_INPUT = re.compile(
    r"\[(?:PATH_NOT_FOUND|COLUMN_ALREADY_EXISTS|FAILED_READ_FILE)[\w.]*\] (.*?)(?:\.? +SQLSTATE|\.$)", re.MULTILINE
)


def main(arguments: Sequence[str]) -> None:
    """Run a job; on a fault, print what is wrong and exit with 1."""
    options = read_options(arguments)
    spark = SparkSession.builder.appName(f"peerloan spark {options.job}").getOrCreate()
    try:
        if options.job == "tally":
            figures = tally(spark, options.model, options.source, options.out, options.day, options.until)
        else:
            figures = score(spark, options)
        print(json.dumps(figures), flush=True)  # noqa: T201
    except BatchScoringError as error:
        sys.exit(f"error: {error}")
    except Exception as error:
        # A worker's own message, which Spark wraps in two tracebacks.
        if faults := _FAULT.findall(str(error)):
            sys.exit(f"error: {faults[-1]}")
        if unusable := _UNUSABLE_INPUT.search(str(error)):
            sys.exit(f"error: The input {options.source} can't be read: {unusable[1]}. Mend it, or give another one.")
        raise


def score(spark: SparkSession, options: argparse.Namespace) -> dict[str, Any]:
    """Score the files of a job; return its figures."""
    _check_places(spark, options)
    version = _shipped_version(options.sha256)
    # A later look at the same input must be divided alike: line numbers are counted by block.
    if not spark.conf.get("spark.sql.files.minPartitionNum", None):
        # Several tasks for each core, so that none is idle for long while another one ends.
        spark.conf.set("spark.sql.files.minPartitionNum", 4 * spark.sparkContext.defaultParallelism)
    # Else Spark adds up a batch's bytes, column by column, after each of its rows. A batch has 10,000 rows at most.
    if not spark.sparkContext.getConf().contains(_BATCH_BYTES):
        spark.conf.set(_BATCH_BYTES, (1 << 31) - 1)
    score_files = _score_csv if options.format == "csv" else _score_parquet
    reports = spark.sparkContext.accumulator(Report(), ReportSum())
    many_rejects = score_files(spark, options, version, reports)
    done = reports.value
    if done.rejected:
        rejects = many_rejects() if done.rejections is None else _few_rejects(spark, done)
        rejects.write.mode(options.mode).csv(options.rejects, header=True, escape='"', emptyValue="")
    elif options.mode == "overwrite":
        files, path = file_of(spark, options.rejects)
        files.delete(path, True)
    where = options.rejects if done.rejected else None
    figures = {"rows": done.rows, "rejected": done.rejected, "sha256": version.sha256}
    return {"out": options.out, "rejects": where, **figures}


def _check_places(spark: SparkSession, options: argparse.Namespace) -> None:
    """Raise ``UnusableFileError`` if an output exists, or if writing one would delete the input or the other one."""
    places = {}
    for place in (options.source, options.out, options.rejects):
        files, path = file_of(spark, place)
        places[place] = f"{files.makeQualified(path).toString()}/"
    for out, other in (
        (options.out, options.source),
        (options.rejects, options.source),
        (options.out, options.rejects),
        (options.rejects, options.out),
    ):
        if places[other].startswith(places[out]):
            raise UnusableFileError(f"{out} can't be written: it would replace {other}. Give another place.")
    for place in (options.out, options.rejects) if options.mode == "error" else ():
        files, path = file_of(spark, place)
        if files.exists(path):
            raise UnusableFileError(f"{place} exists. Give another place, or add --overwrite to replace it.")


def _few_rejects(spark: SparkSession, report: Report) -> DataFrame:
    rows = [(file, fault.line, fault.column, fault.code, fault.detail) for file, fault in report.numbered_rejections()]
    return spark.createDataFrame(rows, _REJECTS).coalesce(1)


def _score_csv(
    spark: SparkSession, options: argparse.Namespace, version: PinnedVersion, reports: Accumulator[Report]
) -> Callable[[], DataFrame]:
    """Score CSV files; return what finds the rejects by reading the files again."""
    lines = _lines(spark, options.source)
    job = _csv_job(lines, version, has_warnings=options.warnings == "yes")
    shared = spark.sparkContext.broadcast(job)
    scored = lines.mapInArrow(
        lambda batches: csv_blocks.score_blocks(shared.value, reports.add, batches), "text string"
    )
    scored.write.mode(options.mode).text(options.out)

    def many_rejects() -> DataFrame:
        first_lines = spark.sparkContext.broadcast(reports.value.first_lines())
        return lines.mapInArrow(
            lambda batches: csv_blocks.reject_blocks(shared.value, first_lines.value, batches), _REJECTS
        )

    return many_rejects


def _lines(spark: SparkSession, source: str) -> DataFrame:
    """Return the lines of files, whose bytes needn't be UTF-8, and where they are from."""
    block_end = sql.col("_metadata.file_block_start") + sql.col("_metadata.file_block_length")
    return spark.read.text(source, lineSep="\n").select(
        sql.col("value").alias(LINE),
        sql.col("_metadata.file_path").alias(FILE),
        sql.col("_metadata.file_block_start").alias(BLOCK_START),
        (block_end >= sql.col("_metadata.file_size")).alias(IS_LAST),
    )


def _csv_job(lines: DataFrame, version: PinnedVersion, *, has_warnings: bool) -> CsvJob:
    first = lines.where(sql.col(BLOCK_START) == 0).withColumn(LINE, sql.col(LINE).cast("binary")).head()
    if first is None:
        raise UnusableFileError("The input has no line. Give a CSV file, or a folder of them.")
    line = bytes(first[LINE]) + b"\n"
    try:
        check_is_csv(line)
    except UnusableFileError as error:
        raise UnusableFileError(f"{first[FILE]} can't be read as CSV. {error}") from None
    if b"\r" in line.rstrip(b"\r\n"):
        raise UnusableFileError(
            f"{first[FILE]} ends its lines in CR alone, or has one in its header, which can't be read on Spark. Save "
            "it with other line endings, or score it by peerloan score."
        )
    header = read_header(SourceFile(Path(first[FILE]), BytesIO(line)), result_columns(has_warnings=has_warnings))
    return CsvJob(version, first[FILE], line, header, has_warnings)


def _score_parquet(
    spark: SparkSession, options: argparse.Namespace, version: PinnedVersion, reports: Accumulator[Report]
) -> Callable[[], DataFrame]:
    """Score Parquet files; return what finds the rejects by reading the files again."""
    has_warnings = options.warnings == "yes"
    try:
        table = spark.read.parquet(options.source)
    except AnalysisException as error:
        if error.getCondition() != "UNABLE_TO_INFER_SCHEMA":
            raise
        raise UnusableFileError("The input has no Parquet file. Give one, or a folder of them.") from None
    schema, added = to_arrow_schema(table.schema), result_columns(has_warnings=has_warnings)
    check_schema(schema, added)
    shared = spark.sparkContext.broadcast(version)
    places = sql.col("_metadata.file_path").alias(tables.FILE), sql.col("_metadata.row_index").alias(tables.ROW)
    scored = table.select("*", *places).mapInArrow(
        lambda batches: tables.score_tables(shared.value, reports.add, batches, has_warnings=has_warnings),
        from_arrow_schema(scored_schema(schema, added)),
    )
    scored.write.mode(options.mode).parquet(options.out)
    names = [*FIELD_NAMES, *((LOAN_ID,) if LOAN_ID in table.columns else ())]
    return lambda: table.select(*names, *places).mapInArrow(tables.reject_tables, _REJECTS)


def _shipped_version(sha256: str) -> PinnedVersion:
    """Return the version that was put into the job's zip; raise ``UnusableFileError`` if it isn't the one named."""
    manifest, arrays = (pkgutil.get_data("peerloan.spark", name) for name in (MANIFEST, ARRAYS))
    assert manifest is not None
    assert arrays is not None
    version = PinnedVersion(manifest, arrays)
    if version.sha256 != sha256:
        raise UnusableFileError(
            f"The zip holds the version with arrays {version.sha256}, and the job is to score by {sha256}. Build the "
            "job again, and upload all of its files."
        )
    return version


def read_options(arguments: Sequence[str]) -> argparse.Namespace:
    """Return a job's parameters."""
    # Each option has a value, since AWS Glue passes no other; it adds options of its own, which are left out.
    parser = argparse.ArgumentParser(prog="peerloan_job.py")
    parser.add_argument("--job", choices=("score", "tally"), required=True)
    parser.add_argument("--source", required=True)
    parser.add_argument("--out", required=True)
    for name in ("--rejects", "--sha256", "--format", "--model"):
        parser.add_argument(name)
    for name in ("--day", "--until"):
        parser.add_argument(name, type=date.fromisoformat)
    parser.add_argument("--warnings", choices=("yes", "no"), default="no")
    parser.add_argument("--mode", choices=("error", "overwrite"), default="error")
    return parser.parse_known_args(arguments)[0]
