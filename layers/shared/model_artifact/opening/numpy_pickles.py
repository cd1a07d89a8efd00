"""NumPy's part of a pickle, rebuilt by functions that trust nothing in it.

NumPy's own reconstruction functions take what a pickle says of an array's type at its word; with a forged type, raw
bytes become object pointers. These stand-ins accept plain numbers, strings, and records of numbers (a tree's nodes),
and read objects only as pickled lists. ``RESOLVED`` maps the names in pickles to them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import IO, Any, Literal

import numpy as np

from model_artifact.errors import UnreadablePickleError

# Booleans, integers, floats, fixed-width strings, objects, and the void of a record. No datetimes: no model needs them.
_TYPE_CODE = re.compile(r"[|<=]?(b1|[iu][1248]|f[248]|[USV]\d{1,6}|O8?|\?)")


class ArrayHeader:
    """Stands in for joblib's ``NumpyArrayWrapper``: says what array's bytes follow in the file."""

    shape: object
    order: object
    dtype: object
    numpy_array_alignment_bytes: object = None

    def __setstate__(self, state: object) -> None:
        if not isinstance(state, Mapping):
            raise UnreadablePickleError("An array's header is damaged.")
        for name in ("shape", "order", "dtype", "numpy_array_alignment_bytes"):
            setattr(self, name, state.get(name))

    def has_objects(self) -> bool:
        """Say whether a nested pickle follows instead of raw bytes."""
        return isinstance(self.dtype, np.dtype) and self.dtype.hasobject

    def read(self, file: IO[bytes]) -> np.ndarray:
        """Read the array's raw bytes (the format: ``joblib/numpy_pickle.py``, ``NumpyArrayWrapper.write_array``)."""
        if not isinstance(self.dtype, np.dtype) or self.dtype.hasobject or self.order not in ("C", "F"):
            raise UnreadablePickleError("An array's header is damaged.")
        shape = _checked_shape(self.shape)
        if self.numpy_array_alignment_bytes is not None:
            padding = _read_exactly(file, 1)[0]
            _read_exactly(file, padding)
        flat = np.frombuffer(_read_exactly(file, math.prod(shape) * self.dtype.itemsize), dtype=self.dtype)
        return flat.reshape(shape[::-1]).transpose() if self.order == "F" else flat.reshape(shape)


def make_dtype(spec: object, *_flags: object) -> np.dtype[Any]:
    """Stand in for ``numpy.dtype``; takes a type's short name alone."""
    if not isinstance(spec, str) or not _TYPE_CODE.fullmatch(spec):
        raise UnreadablePickleError(f"The pickle holds an array of type {spec!r}, which no model needs.")
    return np.dtype(spec)


def build_dtype(plain: np.dtype[Any], state: object) -> np.dtype[Any]:
    """Return what ``plain.__setstate__(state)`` would make of a type, without trusting the state.

    The state is (version, byte order, sub-type, names, fields, size, alignment, flags), see NumPy's
    ``arraydescr_reduce``. The flags say whether there are objects inside, so they are never taken from the pickle.
    """
    if not isinstance(state, tuple) or len(state) != 8 or state[1] not in ("<", "|", "="):
        raise UnreadablePickleError("The pickle holds an array of a type that no model needs.")
    _, byte_order, subtype, names, fields, size_bytes, alignment, _ = state
    if subtype is not None:
        raise UnreadablePickleError("The pickle holds an array of sub-arrays, which no model needs.")
    if names is None:
        return plain
    built = np.dtype(
        {
            "names": list(names),
            "formats": [fields[name][0] for name in names],
            "offsets": [int(fields[name][1]) for name in names],
            "itemsize": int(size_bytes),
        },
        align=int(alignment) > 1,
    )
    if built.hasobject or byte_order == ">":
        raise UnreadablePickleError("The pickle holds records with objects inside, which no model needs.")
    return built


def new_array(*_description: object) -> np.ndarray:
    """Stand in for ``numpy._core.multiarray._reconstruct``: an empty array, which ``build_array`` fills."""
    return np.ndarray((0,), dtype=np.int8)


def build_array(state: object) -> np.ndarray:
    """Return the array that a pickled array's state (version, shape, dtype, Fortran order, data) describes."""
    if not isinstance(state, tuple) or len(state) != 5:
        raise UnreadablePickleError("An array in the pickle is damaged.")
    _, shape, dtype, is_fortran, content = state
    shape = _checked_shape(shape)
    order: Literal["C", "F"] = "F" if is_fortran else "C"
    if isinstance(dtype, np.dtype) and dtype == np.dtype(object) and isinstance(content, list):
        flat = np.empty(len(content), dtype=object)
        flat[:] = content
        return flat.reshape(shape, order=order)
    return from_buffer(content, dtype, shape, order)


def from_buffer(content: object, dtype: object, shape: object, order: object) -> np.ndarray:
    """Stand in for ``numpy._core.numeric._frombuffer``; takes bytes alone, never another object's memory."""
    if not isinstance(content, (bytes, bytearray)) or not isinstance(dtype, np.dtype) or order not in ("C", "F"):
        raise UnreadablePickleError("An array in the pickle is damaged.")
    flat = np.frombuffer(bytearray(content), dtype=dtype)
    return flat.reshape(_checked_shape(shape), order=order)


def make_scalar(dtype: object, content: object) -> Any:
    """Stand in for ``numpy._core.multiarray.scalar``."""
    if not isinstance(dtype, np.dtype) or not isinstance(content, bytes) or len(content) != dtype.itemsize:
        raise UnreadablePickleError("A number in the pickle is damaged.")
    return np.frombuffer(content, dtype=dtype)[0]


def encode_latin1(text: object, encoding: object) -> bytes:
    """Stand in for ``codecs.encode``, by which pickles of protocol 2 keep bytes."""
    if not isinstance(text, str) or encoding != "latin1":
        raise UnreadablePickleError("Bytes in the pickle are damaged.")
    return text.encode("latin1")


class LeftBehind:
    """Stands in for a random generator, which a fit keeps and no prediction draws from; its state is not read."""

    def __setstate__(self, _state: object) -> None:
        pass


def leave_behind(*_description: object) -> LeftBehind:
    """Stand in for the functions that make random generators."""
    return LeftBehind()


def no_bytes(*arguments: object) -> bytes:
    """Stand in for ``bytes``, which pickles of protocol 2 call for empty ones; a number would make as many zeros."""
    if arguments:
        raise UnreadablePickleError("Bytes in the pickle are damaged.")
    return b""


def _checked_shape(shape: object) -> tuple[int, ...]:
    if not isinstance(shape, tuple) or not all(isinstance(size, (int, np.integer)) and size >= 0 for size in shape):
        raise UnreadablePickleError("An array in the pickle has an impossible shape.")
    return tuple(int(size) for size in shape)


def _read_exactly(file: IO[bytes], count: int) -> bytearray:
    # Read in pieces: a header that claims more than there is must not reserve memory for it.
    content = bytearray()
    while len(content) < count:
        piece = file.read(min(count - len(content), 1 << 20))
        if not piece:
            raise EOFError("an array's bytes are cut off")
        content += piece
    return content


RESOLVED: Mapping[str, object] = {
    "joblib.numpy_pickle.NumpyArrayWrapper": ArrayHeader,
    "_codecs.encode": encode_latin1,
    "builtins.bytes": no_bytes,
    "numpy.dtype": make_dtype,
    # Only ever arguments of the functions here, which ignore them.
    "numpy.ndarray": None,
    "numpy.random._mt19937.MT19937": None,
    "numpy.random._pcg64.PCG64": None,
    "numpy.random.bit_generator.SeedSequence": None,
    "numpy.random.bit_generator.__pyx_unpickle_SeedSequence": leave_behind,
    "numpy.random._pickle.__bit_generator_ctor": leave_behind,
    "numpy.random._pickle.__generator_ctor": leave_behind,
    "numpy.random._pickle.__randomstate_ctor": leave_behind,
    "numpy._core.multiarray._reconstruct": new_array,
    "numpy._core.multiarray.scalar": make_scalar,
    "numpy._core.numeric._frombuffer": from_buffer,
    "numpy.core.multiarray._reconstruct": new_array,
    "numpy.core.multiarray.scalar": make_scalar,
    "numpy.core.numeric._frombuffer": from_buffer,
}
