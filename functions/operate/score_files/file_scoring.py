"""Scores the files that an event tells of: reads in ranges, writes in parts, and keeps a journal after each part.

A call that is killed, or whose time is used up, fails, and Lambda calls again with the same event, twice: the next call
resumes by the journal. A file that can't be scored ends in a summary with the reason, and isn't tried again.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from batch_scoring.csv_header import read_header
from batch_scoring.csv_run import CsvRun
from batch_scoring.errors import UnusableFileError
from batch_scoring.scores import VersionScorer
from batch_scoring.source_file import SourceFile
from model_artifact.errors import ArtifactError
from model_artifact.loading import LoadedModel
from model_registry.errors import RegistryError, StoreUnavailableError
from model_registry.stores.base import ObjectStore
from score_files.arrivals import Arrival, arrivals, is_newer
from score_files.bucket_files import PART_BYTES, RANGE_BYTES, ObjectReader, ObjectWriter
from score_files.errors import JournalChangedError, NotFinishedError, RefusedError, SupersededError, UploadGoneError
from score_files.journal import JOURNAL_FORMAT, Journal, JournalObject, Upload
from score_files.summary import REFUSED, SCORED, UNFINISHED, summary_of, write_summary

# Lambda calls once, and again twice.
MAX_RUNS = 3
# For what a step and a part take, and the journal.
RESERVED_MS = 20_000
# An upload has 10,000 parts at most, and a scored row is less than four times as long as the row.
MAX_FILE_BYTES = 10_000 * PART_BYTES // 4
TOO_LARGE = "The file is too large for this function. Score it by Spark, or in pieces: docs/scale.md."


@dataclass(frozen=True)
class Models:
    """Loads versions of one model.

    ``current`` returns the number of the version in charge; ``load`` returns a version with arrays, or raises
    ``RefusedError``.
    """

    name: str
    current: Callable[[], int]
    load: Callable[[int], LoadedModel]


class FileScoring:
    """The function: scores each file of an event.

    Parameters
    ----------
    models : Models
        The model.
    client : botocore's client of S3
        For the files.
    store : callable
        Returns the bucket of a name, for journals and summaries.
    clock : callable
        Returns seconds that only count up.
    write : callable
        Takes a line of the function's log.
    """

    def __init__(
        self,
        models: Models,
        client: Any,
        store: Callable[[str], ObjectStore],
        *,
        clock: Callable[[], float],
        write: Callable[[str], None],
    ) -> None:
        self._models, self._client, self._store = models, client, store
        self._clock, self._write = clock, write

    def __call__(self, event: Mapping[str, Any], context: Any) -> dict[str, str]:
        """Score the files; return what became of each by its key."""
        return {arrival.key: self._score(arrival, context) for arrival in arrivals(event)}

    def _score(self, arrival: Arrival, context: Any) -> str:
        run = _FileRun(arrival, context, self._models, self._client, self._store(arrival.bucket), self._clock)
        state, reason = "", ""
        try:
            state, reason = run.score()
        except SupersededError as error:
            state, reason = "superseded", str(error)
        except Exception as error:
            state, reason = "failed", f"{type(error).__name__}: {error}"
            raise
        finally:
            level = "INFO" if state in (SCORED, "superseded") else "ERROR"
            entry = {"level": level, "kind": "file", "file": arrival.key, "state": state, "message": reason}
            self._write(json.dumps(entry))
        return state


class _FileRun:
    """One call's work on one file."""

    def __init__(
        self,
        arrival: Arrival,
        context: Any,
        models: Models,
        client: Any,
        store: ObjectStore,
        clock: Callable[[], float],
    ) -> None:
        self._arrival, self._context, self._models = arrival, context, models
        self._client, self._store, self._clock = client, store, clock
        self._object = JournalObject(store, arrival.journal_key)
        self._journal: Journal | None = None
        self._began_at, self._seconds_before = clock(), 0.0

    def score(self) -> tuple[str, str]:
        """Score the file, or the rest of it; return what became of it, and the reason."""
        earlier = self._object.read()
        if earlier is not None and is_newer(earlier.sequencer, self._arrival.sequencer):
            raise SupersededError("A later object of this name is scored.")
        is_same = earlier is not None and (earlier.etag, earlier.sequencer) == self._identity
        if earlier is not None and is_same and earlier.state == "done":
            return SCORED, "It was scored before."
        try:
            self._score(earlier, earlier if is_same else None)
        except JournalChangedError:
            # A run on the object before hasn't stopped yet: this one takes the file over.
            if is_newer(self._arrival.sequencer, self._sequencer_in_journal()):
                return self.score()
            raise
        except UploadGoneError:
            # Another run that drops it also changes the journal, so that this write fails.
            assert self._journal is not None
            self._record(replace(self._journal, model="none: begin anew"))
            return self.score()
        except StoreUnavailableError:
            raise
        except (UnusableFileError, RefusedError, ArtifactError, RegistryError) as error:
            self._summarize(REFUSED, str(error))
            return REFUSED, str(error)
        return SCORED, ""

    def _sequencer_in_journal(self) -> str:
        journal = self._object.read()
        return journal.sequencer if journal else self._arrival.sequencer

    @property
    def _identity(self) -> tuple[str, str]:
        return self._arrival.etag, self._arrival.sequencer

    def _score(self, earlier: Journal | None, resumed: Journal | None) -> None:
        check_arrival(self._arrival)
        model = self._models.load(resumed.version if resumed else self._models.current())
        scorer = VersionScorer(model)
        file = self._open()
        header = read_header(file)
        if resumed is None or resumed.model != scorer.identity:
            self._drop_uploads(earlier)
            journal = self._first_journal(header.size_bytes, model, scorer)
        else:
            journal = self._taken_over(resumed)
        file.go_to(journal.source_read)
        self._object.write(journal)
        self._journal, self._seconds_before = journal, journal.seconds
        scored = self._writer(self._arrival.scored_key, journal.scored)
        rejects = self._writer(self._arrival.rejects_key, journal.rejects)
        if journal.state == "scoring":
            journal = self._score_rest(CsvRun(file, header, scorer, scored, rejects), scored, rejects, journal)
        self._finish(scored, rejects, journal)

    def _score_rest(self, run: CsvRun, scored: ObjectWriter, rejects: ObjectWriter, start: Journal) -> Journal:
        if scored.upload == Upload(next_number=start.scored.next_number):
            run.write_headers()
        journal = start
        for journal in run.steps(start):
            is_late = self._context.get_remaining_time_in_millis() < RESERVED_MS
            if is_late or scored.is_full or rejects.is_full:
                for output in (scored, rejects):
                    if output.is_full:
                        output.write_part()
                self._record(replace(journal, scored=scored.upload, rejects=rejects.upload))
            if is_late:
                self._stop(journal)
        scored.begin()
        if journal.rejected:
            rejects.begin()
        return self._record(replace(journal, scored=scored.upload, rejects=rejects.upload, state="written"))

    def _finish(self, scored: ObjectWriter, rejects: ObjectWriter, journal: Journal) -> None:
        scored.complete()
        if journal.rejected:
            rejects.complete()
        else:
            rejects.delete_earlier(self._is_later)
        self._summarize(SCORED, None)
        self._record(replace(journal, state="done", scored=Upload(), rejects=Upload()))

    def _is_later(self, mark: str) -> bool:
        return is_newer(mark.rpartition("-")[2], self._arrival.sequencer)

    def _stop(self, journal: Journal) -> None:
        reason = f"The time of this call is used up at byte {journal.source_read:,} of {self._arrival.size:,}."
        if journal.run >= MAX_RUNS:
            reason += f" It was call {MAX_RUNS} of {MAX_RUNS}. {TOO_LARGE}"
            self._summarize(UNFINISHED, reason)
        raise NotFinishedError(reason)

    def _open(self) -> SourceFile:
        reader = ObjectReader(
            self._client, self._arrival.bucket, self._arrival.key, self._arrival.etag, self._arrival.size
        )
        return SourceFile(Path(self._arrival.name), io.BufferedReader(reader, RANGE_BYTES))

    def _writer(self, key: str, upload: Upload) -> ObjectWriter:
        return ObjectWriter(self._client, self._arrival.bucket, key, upload, "-".join(self._identity))

    def _drop_uploads(self, journal: Journal | None) -> None:
        if journal is not None:
            self._writer(self._arrival.scored_key, journal.scored).abort()
            self._writer(self._arrival.rejects_key, journal.rejects).abort()

    def _first_journal(self, position: int, model: LoadedModel, scorer: VersionScorer) -> Journal:
        etag, sequencer = self._identity
        return Journal(
            format=JOURNAL_FORMAT,
            etag=etag,
            sequencer=sequencer,
            version=model.manifest.version,
            model=scorer.identity,
            model_sha256=model.file.sha256,
            request_id=self._context.aws_request_id,
            source_read=position,
        )

    def _taken_over(self, journal: Journal) -> Journal:
        request_id = self._context.aws_request_id
        return replace(
            journal,
            request_id=request_id,
            run=journal.run + 1 if journal.request_id == request_id else 1,
            resumed=journal.resumed + 1,
            scored=journal.scored.taken_over(),
            rejects=journal.rejects.taken_over(),
        )

    def _record(self, journal: Journal) -> Journal:
        journal = replace(journal, seconds=self._seconds_before + self._clock() - self._began_at)
        self._object.write(journal)
        self._journal = journal
        return journal

    def _summarize(self, state: str, reason: str | None) -> None:
        summary = summary_of(self._arrival, self._journal, self._models.name, state, reason)
        write_summary(self._store, self._arrival, summary)


def check_arrival(arrival: Arrival) -> None:
    """Raise ``RefusedError`` unless the file is CSV by its name, and small enough for an upload in parts."""
    name = arrival.name.lower()
    if name.endswith((".parquet", ".pq")):
        raise RefusedError(
            f"{arrival.key} is Parquet, which this function has no reader for. Score it by peerloan score or by Spark "
            "(docs/scale.md)."
        )
    if not name.endswith(".csv"):
        raise RefusedError(f"{arrival.key} must end in .csv.")
    if arrival.size > MAX_FILE_BYTES:
        raise RefusedError(f"{arrival.key} has {arrival.size:,} bytes. {TOO_LARGE}")
