"""The options that the commands around monitoring share: dates, and the file of settings."""

from __future__ import annotations

from datetime import UTC, date
from pathlib import Path
from typing import TYPE_CHECKING

from peerloan.errors import UsageError
from peerloan.workplace import Workplace

if TYPE_CHECKING:
    from model_monitor.settings import MonitorSettings


def read_date(text: str, option: str) -> date:
    """Return the date that an option gives; raise ``UsageError`` if it isn't one."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{option} {text} isn't a date: write it as 2026-07-15.") from None


def read_as_of(workplace: Workplace, text: str, advice: str = "") -> date:
    """Return the date of ``--as-of``; raise ``UsageError``, with advice, unless outcomes can be of it, up to today."""
    # Imported here and below: NumPy takes longer than most commands.
    from model_monitor.joined.maturity import FIRST_DATE

    day, today = read_date(text, "--as-of"), workplace.clock().astimezone(UTC).date()
    if not FIRST_DATE <= day <= today:
        raise UsageError(f"--as-of {text} isn't a day from {FIRST_DATE} to today, {today} (UTC). {advice}".rstrip())
    return day


def read_settings_file(path: Path | None) -> MonitorSettings:
    """Return the monitor's settings from a file, the defaults without one; raise ``UsageError`` if it can't be used."""
    from model_monitor.settings import default_settings, read_settings

    if path is None:
        return default_settings()
    try:
        return read_settings(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"--settings {path} can't be used: {error}") from error
