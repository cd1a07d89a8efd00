"""Reads and writes one-dimensional arrays in an ``.npz`` archive, without NumPy; every size is checked when reading.

An ``.npz`` is a zip archive of ``.npy`` members (NumPy: "numpy.lib.format", version 1.0), so ``numpy.load`` reads what
is written here. Reading with the standard library saves a cold start the import of NumPy. It also checks what
``numpy.load`` doesn't: if a header promises more than the file holds, ``numpy.load`` allocates first and fails later.
"""

from __future__ import annotations

import io
import re
import sys
import zipfile
import zlib
from array import array
from collections.abc import Mapping

from model_artifact.serving_form.errors import InvalidServingFormError, require

# The limit for all members together. The basic forest has a million nodes: 14 MB.
MAX_UNPACKED_BYTES = 128 << 20
MAX_PACKED_BYTES = MAX_UNPACKED_BYTES
# A calibration in ten folds of a hundred trees each has about 100; a bag of 50 calibrated models, 1,000.
MAX_MEMBERS = 4_096

# array's type code → NumPy's. array('i') and array('h') have these sizes on every platform that CPython runs on.
_DTYPES = {"B": "|u1", "b": "|i1", "h": "<i2", "i": "<i4", "d": "<f8"}

_MAGIC = b"\x93NUMPY\x01\x00"
_HEADER = re.compile(rb"\{'descr': '([<|][a-z]\d)', 'fortran_order': False, 'shape': \((\d{1,10}),\), \} *\n")
_HEADER_MULTIPLE = 64
# Every member has the same date, so that the same arrays give the same bytes.
_DATE = (1980, 1, 1, 0, 0, 0)
_NPY = ".npy"
_ENCRYPTED = 1


def pack(members: Mapping[str, array]) -> bytes:  # type: ignore[type-arg]
    """Return the archive of named arrays; the same arrays give the same bytes."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, values in members.items():
            info = zipfile.ZipInfo(name + _NPY, _DATE)
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, _npy(values))
    return file.getvalue()


def unpack(data: bytes, *, max_unpacked_bytes: int = MAX_UNPACKED_BYTES) -> dict[str, array]:  # type: ignore[type-arg]
    """Return the arrays by name; ``data`` are bytes that anybody may have written.

    Raises ``InvalidServingFormError`` if they aren't such an archive, its members are larger than the limit for all
    together, or a member is damaged or has an unexpected type.
    """
    require(len(data) <= MAX_PACKED_BYTES, f"it has {len(data):,} bytes, more than {MAX_PACKED_BYTES:,}")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return _read_members(archive, max_unpacked_bytes)
    # zipfile has no base class for its errors. These are the ones that it and zlib raise at damaged archives.
    except (zipfile.BadZipFile, zlib.error, EOFError, LookupError, NotImplementedError, OSError, RuntimeError) as error:
        raise InvalidServingFormError(f"it isn't an npz archive ({type(error).__name__})") from error
    except (ValueError, OverflowError) as error:
        raise InvalidServingFormError(f"it is a damaged npz archive ({type(error).__name__})") from error


def _read_members(archive: zipfile.ZipFile, max_unpacked_bytes: int) -> dict[str, array]:  # type: ignore[type-arg]
    members: dict[str, array] = {}  # type: ignore[type-arg]
    remaining_bytes = max_unpacked_bytes
    require(len(archive.filelist) <= MAX_MEMBERS, f"it has more than {MAX_MEMBERS:,} members")
    for info in archive.infolist():
        name = info.filename.removesuffix(_NPY)
        is_array = name not in members and name != info.filename
        require(is_array, "its members aren't arrays with different names")
        # A damaged length would take the members after this one for its comment, and form_from_bytes their defaults.
        require(not info.comment and not info.extra, "a member has a comment")
        is_known = info.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
        require(is_known and not info.flag_bits & _ENCRYPTED, "a member uses another kind of packing")
        remaining_bytes -= info.file_size
        require(remaining_bytes >= 0, f"it unpacks to more than {max_unpacked_bytes:,} bytes")
        with archive.open(info) as file:
            # Invariant: a member unpacks to at most the size in the directory, whatever its compressed stream holds.
            members[name] = _array(file.read(info.file_size))
    return members


def _npy(values: array) -> bytes:  # type: ignore[type-arg]
    header = f"{{'descr': '{_DTYPES[values.typecode]}', 'fortran_order': False, 'shape': ({len(values)},), }}"
    unpadded = len(_MAGIC) + 2 + len(header) + 1
    header += " " * (-unpadded % _HEADER_MULTIPLE) + "\n"
    return _MAGIC + len(header).to_bytes(2, "little") + header.encode("ascii") + _little_endian(values).tobytes()


def _array(member: bytes) -> array:  # type: ignore[type-arg]
    start = len(_MAGIC) + 2
    end = start + int.from_bytes(member[len(_MAGIC) : start], "little")
    header = _HEADER.fullmatch(member, start, min(end, len(member)))
    if member[: len(_MAGIC)] != _MAGIC or header is None:
        raise InvalidServingFormError("a member isn't a one-dimensional array in NumPy's format 1.0")
    type_code = {dtype: code for code, dtype in _DTYPES.items()}.get(header[1].decode("ascii"))
    if type_code is None:
        raise InvalidServingFormError("a member has an unexpected type of numbers")
    values = array(type_code)
    has_length = len(member) - end == int(header[2]) * values.itemsize
    require(has_length, "a member doesn't have the length that its header says")
    values.frombytes(memoryview(member)[end:])
    return _little_endian(values)


def _little_endian(values: array) -> array:  # type: ignore[type-arg]
    """Swap the bytes on a big-endian processor; this is its own inverse."""
    if sys.byteorder == "big":
        values = values[:]
        values.byteswap()
    return values
