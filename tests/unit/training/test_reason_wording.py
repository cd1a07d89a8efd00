"""A file of reasons words codes or leaves them out; anything else in it is refused with what to write."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from model_artifact.reasons import CODES_VERSION, WORDED_CODES_VERSION
from model_artifact.reasons.codes import TEXTS
from model_registry.manifest import MAX_REASON_LENGTH, MAX_WORDED_CODES, Reasons, Wording
from training.__main__ import main
from training.data import Quarters
from training.errors import WordingRefusedError
from training.reason_wording import MAX_FILE_BYTES, read_wording, worded

FILE = """\
[DTI_HIGH]
text = \"\"\"
Your monthly debts are high
  for your income.\"\"\"

[HOME_OWNERSHIP_OTHER]
exclude = true
"""


def _written(folder: Path, text: str | bytes) -> Path:
    path = folder / "reasons.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_codes_are_worded_or_left_out(tmp_path: Path) -> None:
    wording = read_wording(_written(tmp_path, FILE))
    assert wording == Wording(
        {"DTI_HIGH": "Your monthly debts are high for your income."}, excluded=("HOME_OWNERSHIP_OTHER",)
    )
    reasons = Reasons(CODES_VERSION, {})
    assert worded(reasons, wording) == Reasons(WORDED_CODES_VERSION, {}, wording)
    assert worded(reasons, None) == reasons
    assert worded(None, wording) is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[DTI_HIHG]\nexclude = true", "DTI_HIHG: no such code. The codes are LOAN_AMNT_HIGH, "),
        ("DTI_HIGH = 'high'", r'\[DTI_HIGH\] takes either text = "…" or exclude = true'),
        ("[DTI_HIGH]", "takes either text"),
        ("[DTI_HIGH]\ntext = 'high'\nexclude = true", "takes either text"),
        ("[DTI_HIGH]\ntext = 'high'\nweight = 2", "takes either text"),
        ("[DTI_HIGH]\ntext = 2", "takes either text"),
        ("[DTI_HIGH]\nexclude = false", "takes either text"),
        ("[DTI_HIGH]\nexclude = 1", "takes either text"),
        ("[DTI_HIGH]\ntext = ' '", "DTI_HIGH isn't one line of 1 to 300 characters"),
        (f"[DTI_HIGH]\ntext = '{'x' * (MAX_REASON_LENGTH + 1)}'", "DTI_HIGH isn't one line of 1 to 300 characters"),
        ('[DTI_HIGH]\ntext = "\\u0007"', "DTI_HIGH isn't one line"),
        ("", "it names no code"),
        ("\n".join(f"[{code}]\nexclude = true" for code in TEXTS), "it leaves no code"),
        ("[DTI_HIGH", "it isn't TOML in UTF-8"),
        (b"[DTI_HIGH]\ntext = '\xff'", "it isn't TOML in UTF-8"),
        ("#" * (MAX_FILE_BYTES + 1), "more than 65,536 bytes"),
    ],
)
def test_anything_else_is_refused(tmp_path: Path, text: str | bytes, message: str) -> None:
    with pytest.raises(WordingRefusedError, match=message):
        read_wording(_written(tmp_path, text))


def test_a_file_that_isnt_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(WordingRefusedError, match=r"none\.toml: it can't be read: No such file"):
        read_wording(tmp_path / "none.toml")


def test_a_manifest_cannot_claim_more_codes_than_there_could_be() -> None:
    with pytest.raises(ValueError, match="more than 100 codes"):
        Wording({}, ("DTI_HIGH",) * (MAX_WORDED_CODES + 1))


def test_train_writes_them_into_the_record_and_refuses_a_wrong_file_before_it_trains(
    quarters: Quarters, tmp_path: Path
) -> None:
    for name, quarter in (("train.csv", quarters.train), ("test.csv", quarters.test)):
        quarter.frame.to_csv(tmp_path / name, index=False)
    path = _written(tmp_path, FILE)
    arguments = ["basic", "--data", str(tmp_path), "--out", str(tmp_path / "out"), "--estimators", "2"]
    stderr = io.StringIO()
    assert main([*arguments, "--reasons", str(path)], {}, io.StringIO(), stderr) == 0, stderr.getvalue()
    record = json.loads((tmp_path / "out" / "training.json").read_bytes())
    assert record["reasons"]["codes_version"] == WORDED_CODES_VERSION
    assert record["reasons"]["wording"]["excluded"] == ["HOME_OWNERSHIP_OTHER"]
    stderr = io.StringIO()
    assert main([*arguments, "--reasons", str(_written(tmp_path, ""))], {}, io.StringIO(), stderr) == 1
    assert "it names no code" in stderr.getvalue()
    assert "Data:" not in stderr.getvalue()
