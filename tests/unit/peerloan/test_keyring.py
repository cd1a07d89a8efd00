"""Keys are made once, readable by their owner alone, and put aside when they are revoked."""

from __future__ import annotations

from pathlib import Path

import pytest

from model_artifact.opening.signature import Signer
from model_registry.errors import InvalidNameError
from model_watch.loan_hash import LoanHasher
from peerloan.errors import UsageError
from peerloan.files import FileWriteError
from peerloan.keyring import Keyring

STRANGER = Signer.generate().public_key


def test_a_new_key_signs_and_is_trusted(tmp_path: Path) -> None:
    keyring = Keyring(tmp_path / "keys")
    assert keyring.list_keys() == []
    assert keyring.find_signer("local") is None
    key = keyring.create("local")
    signer = keyring.find_signer("local")
    assert signer is not None
    assert (signer.public_key, signer.key_id) == (key.public_key, key.key_id)
    assert list(keyring.trust().public_keys) == [key.key_id]
    assert (tmp_path / "keys" / "local.pem").stat().st_mode & 0o777 == 0o600


def test_a_colleagues_key_is_trusted_and_does_not_sign(tmp_path: Path) -> None:
    keyring = Keyring(tmp_path)
    keyring.create("local")
    added = keyring.add("alice", STRANGER)
    assert keyring.find_signer("alice") is None
    assert [(key.name, key.can_sign) for key in keyring.list_keys()] == [("alice", False), ("local", True)]
    assert keyring.public_keys().split(",")[0] == STRANGER
    assert added.key_id in keyring.trust().public_keys


def test_a_name_is_taken_once(tmp_path: Path) -> None:
    keyring = Keyring(tmp_path)
    keyring.create("local")
    with pytest.raises(UsageError, match="already"):
        keyring.create("local")
    with pytest.raises(UsageError, match="already"):
        keyring.add("local", STRANGER)


def test_a_revoked_key_is_put_aside(tmp_path: Path) -> None:
    keyring = Keyring(tmp_path)
    keyring.create("local")
    pem = (tmp_path / "local.pem").read_bytes()
    aside = keyring.revoke("local")
    assert aside.read_bytes() == pem
    assert (keyring.list_keys(), keyring.find_signer("local")) == ([], None)
    with pytest.raises(UsageError, match="peerloan keys list"):
        keyring.revoke("local")


@pytest.mark.parametrize("text", ["", "AAAA", STRANGER + ","], ids=["empty", "too short", "two keys"])
def test_a_text_that_is_not_a_key_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(UsageError, match="isn't a public key"):
        Keyring(tmp_path).add("alice", text)


@pytest.mark.parametrize("name", ["../x", "a/b", "", "latest"])
def test_a_name_can_not_leave_the_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidNameError):
        Keyring(tmp_path).create(name)


def test_a_damaged_key_is_named(tmp_path: Path) -> None:
    (tmp_path / "local.pem").write_text("damaged")
    with pytest.raises(UsageError, match=r"local\.pem isn't a private key"):
        Keyring(tmp_path).list_keys()


def test_a_folder_that_can_not_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FileWriteError, match="file"):
        Keyring(tmp_path / "file" / "keys").create("local")


def test_a_key_has_one_name(tmp_path: Path) -> None:
    keyring = Keyring(tmp_path)
    keyring.add("alice", STRANGER)
    with pytest.raises(UsageError, match="under another name"):
        keyring.add("bob", STRANGER)


def test_the_key_of_loan_ids_is_made_once_and_is_its_owners_alone(tmp_path: Path) -> None:
    keyring = Keyring(tmp_path / "keys")
    assert keyring.find_loan_hash_key() is None
    key = keyring.make_loan_hash_key()
    assert (tmp_path / "keys" / "loan-hash.key").stat().st_mode & 0o777 == 0o600
    assert keyring.make_loan_hash_key() == Keyring(tmp_path / "keys").find_loan_hash_key() == key
    assert len(LoanHasher(key).hash("1")) == 16
    assert Keyring(tmp_path / "others").make_loan_hash_key() != key
    # It neither signs nor is it trusted.
    assert keyring.list_keys() == []


def test_a_damaged_key_of_loan_ids_is_named_and_not_repeated(tmp_path: Path) -> None:
    path = tmp_path / "loan-hash.key"
    path.write_text("hidden")
    for use in (Keyring(tmp_path).find_loan_hash_key, Keyring(tmp_path).make_loan_hash_key):
        with pytest.raises(UsageError, match=r"loan-hash\.key can't be used: .* Restore it") as caught:
            use()
        assert "hidden" not in str(caught.value)
    assert path.read_text() == "hidden"
