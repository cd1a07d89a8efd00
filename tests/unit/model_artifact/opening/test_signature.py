"""Only a trusted publisher's signature of this very manifest makes a version trusted."""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from memory_store import InMemoryStore
from model_artifact.errors import UntrustedVersionError
from model_artifact.loading import begin_version
from model_artifact.opening.signature import Signer, Trust, key_id
from model_registry.errors import InvalidManifestError
from model_registry.manifest import Artifact, Manifest
from model_registry.reader import RegistryReader
from registry_kit import PUBLISHER, TRUST, make_candidate, make_writer

# Ed25519's group order (RFC 8032, section 5.1): adding it to S gives a second text of the same signature.
_ORDER = 2**252 + 27742317777372353535851937790883648493


def _published() -> tuple[RegistryReader, Manifest, Manifest]:
    store = InMemoryStore()
    writer = make_writer(store)
    first, second = (writer.publish(make_candidate(name)).manifest for name in (b"pickle 1", b"pickle 2"))
    return RegistryReader(store), first, second


def test_a_published_manifest_is_trusted_as_it_is_read_back() -> None:
    reader, first, second = _published()
    for version, manifest in ((1, first), (2, second)):
        TRUST.check(reader.get_manifest(version))
        assert manifest.signature is not None
        assert manifest.signature.key_id == PUBLISHER.key_id


@pytest.mark.fault(13)
@pytest.mark.parametrize(
    ("forge", "message"),
    [
        (lambda first, second: replace(first, signature=None), "nobody has signed it"),
        (lambda first, second: replace(first, signature=second.signature), "isn't of this manifest"),
        (lambda first, second: replace(first, artifact=Artifact.of(b"other bytes")), "isn't of this manifest"),
        (lambda first, second: replace(first, serving_form=None), "isn't of this manifest"),
        (lambda first, second: replace(first, probes=()), "isn't of this manifest"),
        (lambda first, second: replace(first, version=2), "isn't of this manifest"),
        (lambda first, second: replace(first, environment={"python": "3"}), "isn't of this manifest"),
        (lambda first, second: Signer.generate().sign(first), "isn't among the trusted ones"),
    ],
    ids=[
        "stripped",
        "swapped",
        "other pickle",
        "other form",
        "other probes",
        "other version",
        "other libraries",
        "stranger",
    ],
)
def test_fault_13_a_forged_manifest_is_refused(forge: Callable[[Manifest, Manifest], Manifest], message: str) -> None:
    _, first, second = _published()
    with pytest.raises(UntrustedVersionError, match=message):
        TRUST.check(forge(first, second))


@pytest.mark.fault(13)
def test_fault_13_a_signature_can_not_be_rewritten() -> None:
    _, manifest, _ = _published()
    assert manifest.signature is not None
    value = bytes.fromhex(manifest.signature.value)
    scalar = int.from_bytes(value[32:], "little") + _ORDER
    malleable = value[:32] + scalar.to_bytes(32, "little")
    with pytest.raises(UntrustedVersionError, match="isn't of this manifest"):
        TRUST.check(replace(manifest, signature=replace(manifest.signature, value=malleable.hex())))
    document = json.loads(manifest.to_json())
    for text in (value.hex().upper(), f" {value.hex()}", value.hex()[:-1], base64.b64encode(value).decode()):
        document["signature"]["value"] = text
        with pytest.raises(InvalidManifestError, match="signature"):
            Manifest.from_json(json.dumps(document).encode())


@pytest.mark.fault(13)
def test_fault_13_a_revoked_key_is_trusted_no_longer() -> None:
    _, manifest, _ = _published()
    others = Trust.parse(f"{Signer.generate().public_key}, {Signer.generate().public_key}")
    assert not others.covers(manifest)
    assert Trust.parse(f"{Signer.generate().public_key},{PUBLISHER.public_key}").covers(manifest)


@pytest.mark.fault(13)
def test_fault_13_nothing_of_an_untrusted_pickle_is_opened() -> None:
    store = InMemoryStore()
    make_writer(store, inspect=_without_form).publish(make_candidate())
    opened: list[bytes] = []

    def open_pickle(pickle: bytes, **_: Any) -> Any:
        opened.append(pickle)

    with pytest.raises(UntrustedVersionError, match="publish a model that is served from arrays"):
        begin_version(RegistryReader(store), 1, Trust(), open_pickle).wait()
    assert opened == []


def test_arrays_need_a_signature_only_where_it_is_required() -> None:
    reader, _, _ = _published()
    with pytest.raises(UntrustedVersionError):
        begin_version(reader, 1, Trust(require_signature=True))
    # The form of this test isn't one: it was read, without a signature.
    with pytest.raises(Exception, match="form"):
        begin_version(reader, 1, Trust()).wait()


def test_a_member_that_a_later_format_adds_does_not_break_a_signature() -> None:
    _, manifest, _ = _published()
    unsigned = json.loads(manifest.signed_bytes())
    assert "signature" not in unsigned
    assert "reasons" not in unsigned  # None: left out, as a member would be that isn't known yet.


def test_a_private_key_survives_its_file() -> None:
    signer = Signer.generate()
    assert Signer.from_pem(signer.to_pem()).public_key == signer.public_key


@pytest.mark.parametrize(
    "pem",
    [b"", b"no key", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"],
    ids=["empty", "text", "damaged"],
)
def test_another_file_is_no_private_key(pem: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        Signer.from_pem(pem)


@pytest.mark.parametrize(
    "text",
    ["x", "AAAA", PUBLISHER.public_key[:-1], PUBLISHER.public_key.rstrip("=") + "A="],
    ids=["no base64", "too short", "cut off", "too long"],
)
def test_a_text_that_is_not_a_public_key_is_named(text: str) -> None:
    with pytest.raises(ValueError, match="isn't a public key"):
        Trust.parse(text)
    with pytest.raises(ValueError, match="peerloan keys export"):
        key_id(text)


def _without_form(pickle: bytes, probe_records: Any) -> Any:
    from registry_kit import believe

    return replace(believe(pickle, probe_records), serving_form=None)


@pytest.mark.fault(13)
@pytest.mark.parametrize("place", [0, 1, 2**255 - 20, 2**255 - 19, 2**255, 2**255 + 1])
def test_fault_13_a_key_that_anybody_can_sign_for_is_refused(place: int) -> None:
    weak = base64.b64encode((place % 2**256).to_bytes(32, "little")).decode()
    with pytest.raises(ValueError, match="isn't a public key"):
        Trust.parse(weak)


# Python 3.11 reads 900 lists in each other and can't write them; later ones do both.
DEEP = [100_000, *([900] if sys.version_info < (3, 12) else [])]


@pytest.mark.parametrize("value", ["1e400", '"\\ud800"', *("[" * depth + "]" * depth for depth in DEEP)])
def test_a_manifest_that_can_not_be_signed_is_not_read(value: str) -> None:
    _, manifest, _ = _published()
    body = manifest.to_json().replace(b'"roc_auc": 0.7', f'"roc_auc": {value}'.encode())
    with pytest.raises(InvalidManifestError):
        Manifest.from_json(body)
