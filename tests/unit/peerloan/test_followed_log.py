"""A log is read on across its rotation."""

from __future__ import annotations

from pathlib import Path

from emulator.lambda_service.log_groups.log_file import LogFile
from peerloan.followed_log import FollowedLog, last_lines


def test_lines_before_and_after_a_rotation_are_read_once(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with FollowedLog(path) as before:
        assert before.new_lines() == []
        log = LogFile(path, max_bytes=30)
        log.write(b"old\n")
        with FollowedLog(path) as followed:
            log.write(b"one\nunfin")
            assert (before.new_lines(), followed.new_lines()) == ([b"old", b"one"], [b"one"])
            log.write(b"ished\nthe last of this file\n")
            log.end_batch()
            log.write(b"first of the next\n")
            expected = [b"unfinished", b"the last of this file", b"first of the next"]
            assert (before.new_lines(), followed.new_lines()) == (expected, expected)
            log.write(b"more\n")
            assert followed.new_lines() == [b"more"]
    log.close()
    assert last_lines(path, 3) == ["the last of this file", "first of the next", "more"]
    assert last_lines(tmp_path / "none", 3) == []
