"""Errors of files of loans."""

from __future__ import annotations


class BatchScoringError(Exception):
    """Base of these errors; the message says what is wrong and what to do."""


class UnusableFileError(BatchScoringError):
    """The file has no columns that can be scored, or isn't in the format that its name says."""


class UnreadableFileError(BatchScoringError):
    """A part of the file can't be read."""
