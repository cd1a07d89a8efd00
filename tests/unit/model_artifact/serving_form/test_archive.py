"""Archives of arrays: bombs, pickled objects and anything but plain arrays of one dimension are refused."""

from __future__ import annotations

import io
import zipfile

import numpy as np
import pytest

from model_artifact.serving_form import archive
from model_artifact.serving_form.errors import InvalidServingFormError
from model_artifact.serving_form.reading import form_from_bytes


def npz(members: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archived:
        for name, body in members.items():
            archived.writestr(name, body)
    return file.getvalue()


def npy(values: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, values)
    return file.getvalue()


def test_an_archive_that_unpacks_to_too_much_is_refused_unread() -> None:
    bomb = npz({"meta.npy": bytes(64 << 20)})
    assert len(bomb) < 100_000
    with pytest.raises(InvalidServingFormError, match="unpacks to more"):
        archive.unpack(bomb, max_unpacked_bytes=1 << 20)


def test_archive_of_very_many_members_is_refused() -> None:
    many = {f"{number}.npy": npy(np.zeros(1, dtype=np.uint8)) for number in range(archive.MAX_MEMBERS + 1)}
    with pytest.raises(InvalidServingFormError, match="members"):
        archive.unpack(npz(many))


def test_an_archive_that_understates_its_size_is_refused() -> None:
    body = npy(np.zeros(1000, dtype=np.uint8))
    bomb = bytearray(npz({"meta.npy": body}))
    # The size in the central directory, 24 bytes after its signature (APPNOTE.TXT, 4.3.12).
    place = bomb.index(b"PK\x01\x02") + 24
    bomb[place : place + 4] = (200).to_bytes(4, "little")
    with pytest.raises(InvalidServingFormError):
        archive.unpack(bytes(bomb), max_unpacked_bytes=500)


def test_a_header_of_more_values_than_there_are_is_refused() -> None:
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (9999999999,), }\n"
    body = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + bytes(80)
    with pytest.raises(InvalidServingFormError, match="length"):
        archive.unpack(npz({"meta.npy": body}))


@pytest.mark.parametrize(
    "values",
    [np.zeros((2, 2)), np.float64(1), np.zeros(2, dtype=">f8"), np.array(["a"]), np.zeros(2, dtype=np.complex128)],
)
def test_arrays_of_other_shapes_and_types_are_refused(values: np.ndarray) -> None:
    with pytest.raises(InvalidServingFormError):
        archive.unpack(npz({"meta.npy": npy(values)}))


def test_pickled_objects_are_never_unpickled() -> None:
    file = io.BytesIO()
    np.save(file, np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(InvalidServingFormError):
        archive.unpack(npz({"meta.npy": file.getvalue()}))


def test_archives_of_other_members_or_compressions_are_refused() -> None:
    body = npy(np.zeros(3, dtype=np.uint8))
    for data in (
        npz({"meta.txt": body}),
        npz({"meta": body}),
        npz({"meta.npy": b""}),
        npz({"meta.npy": body[:20]}),
        npz({"meta.npy": body}, zipfile.ZIP_BZIP2),
        npz({"meta.npy": body}, zipfile.ZIP_LZMA),
        npz({}),
    ):
        with pytest.raises(InvalidServingFormError):
            form_from_bytes(data)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_members_of_one_name_are_refused() -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archived:
        for _ in range(2):
            archived.writestr("meta.npy", npy(np.zeros(3, dtype=np.uint8)))
    with pytest.raises(InvalidServingFormError, match="different names"):
        archive.unpack(file.getvalue())
