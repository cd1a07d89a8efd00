"""The errors of training, one type for each thing that can go wrong."""

from __future__ import annotations

from pathlib import Path


class TrainingError(Exception):
    """Base of all errors of the training."""


class DataNotFoundError(TrainingError):
    """The loan data aren't where the options or the environment say."""


class DataRefusedError(TrainingError):
    """A data file can't be used for training.

    Attributes
    ----------
    file : str
        The file's name.
    column : str or None
        The column at fault.
    row : int or None
        The row at fault, counted from 1 without the header.
    """

    def __init__(self, file: str, what: str, column: str | None = None, row: int | None = None) -> None:
        where = (f", column {column}" if column else "") + (f", row {row}" if row else "")
        super().__init__(f"{file}{where}: {what}")
        self.file = file
        self.column = column
        self.row = row


class RecordRefusedError(TrainingError):
    """A trained model's folder can't be published: a file is missing, damaged, or from another training."""


class WordingRefusedError(TrainingError):
    """A file of reasons can't be used."""

    def __init__(self, path: Path, what: str) -> None:
        super().__init__(f"{path}: {what}. docs/evidence.md has an example of --reasons.")


class FolderNotWritableError(TrainingError):
    """A trained model's folder can't be written.

    Attributes
    ----------
    path : Path
        The file or folder that the system refused.
    """

    def __init__(self, path: Path, error: OSError) -> None:
        super().__init__(
            f"{path} can't be written: {error.strerror or error}. Nothing was changed. "
            "Make room or choose another folder with --out, and run the command again."
        )
        self.path = path
