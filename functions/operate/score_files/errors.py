"""Errors of scoring a file in a bucket."""

from __future__ import annotations


class FileScoringError(Exception):
    """Base of these errors; the message says what is wrong and what to do."""


class RefusedError(FileScoringError):
    """The file or the version can't be used: another try would end in the same way."""


class SupersededError(FileScoringError):
    """Another run has this file now, or the object isn't there any more."""


class JournalChangedError(SupersededError):
    """Another run has written the journal since it was read."""


class UploadGoneError(SupersededError):
    """The upload was dropped: by another run, or since it was left alone for days."""


class NotFinishedError(FileScoringError):
    """The time of this call is used up; what was done is in the journal."""
