"""Lists the names that a pickle asks for, without importing, building or calling anything.

The pickle is read by Python's own pure reader. Each name becomes a stand-in, which accepts every call, state and item.
"""

from __future__ import annotations

import bz2
import io
import lzma
import math
import pickle
import re
import zlib
from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING
from collections.abc import Iterator
from typing import Any, ClassVar

from model_artifact.errors import UnreadablePickleError

# The basic forest takes 82 MB unpacked; the function has 1,769 MiB for the model and everything else.
MAX_UNPACKED_BYTES = 1 << 30

# What models consist of. Their code still runs only in a limited process, or after a trusted publisher signed it.
ALLOWED_PACKAGES = ("sklearn", "numpy", "scipy", "pandas", "joblib", "lightgbm", "xgboost", "catboost", "imblearn")
ALLOWED_NAMES = frozenset(
    {
        *(
            f"builtins.{name}"
            for name in ("bool", "bytearray", "bytes", "complex", "dict", "float", "frozenset", "int")
        ),
        *(f"builtins.{name}" for name in ("list", "object", "range", "set", "slice", "str", "tuple")),
        "_codecs.encode",
        "collections.OrderedDict",
        "collections.defaultdict",
        "copyreg._reconstructor",
        # Boosted trees with native categories hold a check of their input (sklearn's check_array) as a partial.
        "functools.partial",
    }
)
_TEST_CODE = re.compile(r"\.(tests|testing|f2py|ctypeslib)(\.|$)")

_DECOMPRESSORS: tuple[tuple[bytes, Any], ...] = (
    (b"\x78", zlib.decompressobj),
    (b"\x1f\x8b", lambda: zlib.decompressobj(32 + zlib.MAX_WBITS)),  # gzip's header
    (b"BZh", bz2.BZ2Decompressor),
    (b"\xfd7zXZ", lzma.LZMADecompressor),
    (b"\x5d\x00", lzma.LZMADecompressor),
)

# A dtype's code in a pickle: kind and bytes an item (for U, characters of four bytes).
_DTYPE_CODE = re.compile(r"[|<>=]?([a-zA-Z?])(\d*)")


def unpack(data: bytes, limit_bytes: int = MAX_UNPACKED_BYTES) -> bytes:
    """Return a pickle's bytes, decompressed if ``joblib.dump`` compressed them (zlib, gzip, bz2, lzma, xz).

    Raises
    ------
    UnreadablePickleError
        If a compressed file is damaged, is cut off, or unpacks to more than ``limit_bytes``.
    """
    for magic, make_decompressor in _DECOMPRESSORS:
        if data.startswith(magic):
            decompressor = make_decompressor()
            try:
                unpacked: bytes = decompressor.decompress(data, limit_bytes)
            except (zlib.error, OSError, EOFError, lzma.LZMAError) as error:
                raise UnreadablePickleError(
                    f"The compressed pickle is damaged ({error}). Copy the file again."
                ) from error
            if not decompressor.eof and len(unpacked) >= limit_bytes:
                raise UnreadablePickleError(
                    f"The pickle unpacks to more than {limit_bytes:,} bytes, more than a model may have. "
                    "Train a smaller model."
                )
            if not decompressor.eof:
                raise UnreadablePickleError("The compressed pickle is cut off. Copy the whole file.")
            return unpacked
    return data


def is_allowed(module: str, name: str) -> bool:
    """Return whether a pickle may ask for a name although nobody vouches for it."""
    # What Python 2 called otherwise; protocols below 3 still write it so.
    module, name = NAME_MAPPING.get((module, name), (IMPORT_MAPPING.get(module, module), name))
    if f"{module}.{name}" in ALLOWED_NAMES:
        return True
    # A dotted name would walk from an allowed module to whatever that module has imported.
    return module.partition(".")[0] in ALLOWED_PACKAGES and not _TEST_CODE.search(module) and name.isidentifier()


def find_names(unpacked: bytes) -> list[tuple[str, str]]:
    """Return each name, as module and name, that a pickle asks for, in the order of the file.

    Parameters
    ----------
    unpacked : bytes
        The pickle, from ``unpack``. It may hold arrays as ``joblib.dump`` writes them, as raw bytes between opcodes.

    Raises
    ------
    Exception
        Of any kind, if the bytes aren't a complete pickle; ``load.check_names`` explains it.
    """
    names: dict[tuple[str, str], None] = {}
    _Scanner(io.BytesIO(unpacked), names).load()
    return list(names)


class _StandIn:
    """Takes the place of whatever the pickle names."""

    arguments: tuple[Any, ...] = ()
    state: Any = None

    def __new__(cls, *_arguments: Any, **_options: Any) -> Any:
        # A class that the pickle itself makes is an instance here, and an object of that class is asked of it.
        return object.__new__(cls if isinstance(cls, type) else _StandIn)

    def __init__(self, *arguments: Any, **_options: Any) -> None:
        self.arguments = arguments

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def __call__(self, *_arguments: Any, **_options: Any) -> _StandIn:
        return _StandIn()

    def __setitem__(self, _key: Any, _value: Any) -> None: ...

    def __iter__(self) -> Iterator[Any]:
        return iter(())

    def append(self, _item: Any) -> None: ...

    extend = add = update = append


class _Array(_StandIn):
    """joblib's ``NumpyArrayWrapper``: the array's bytes follow it in the file."""


class _Dtype(_StandIn):
    """``numpy.dtype``."""

    @property
    def kind_and_size(self) -> tuple[str, int]:
        """Its kind, and the bytes of an item."""
        match = _DTYPE_CODE.fullmatch(self.arguments[0])
        if match is None:
            raise pickle.UnpicklingError(f"an array has the unknown type {self.arguments[0]!r}")
        kind, digits = match[1], int(match[2] or 1)
        return kind, digits * 4 if kind == "U" else digits


class _Scanner(pickle._Unpickler):
    """Python's pure reader: the one whose steps can be overridden."""

    dispatch: ClassVar[dict[int, Any]] = dict(pickle._Unpickler.dispatch)
    stack: list[Any]

    def __init__(self, file: io.BytesIO, names: dict[tuple[str, str], None]) -> None:
        super().__init__(file)
        self._file = file
        self._names = names

    def find_class(self, module: str, name: str) -> type[_StandIn]:
        """Note the name; return a stand-in for it."""
        self._names[(module, name)] = None
        if (module, name) == ("joblib.numpy_pickle", "NumpyArrayWrapper"):
            return _Array
        return _Dtype if (module, name) == ("numpy", "dtype") else _StandIn

    def load_build(self) -> None:
        """Set a state. After an array's header, skip the array."""
        pickle._Unpickler.load_build(self)  # type: ignore[attr-defined]
        if isinstance(self.stack[-1], _Array):
            self._skip_array(self.stack[-1].state)

    def _skip_array(self, header: dict[str, Any]) -> None:
        kind, item_bytes = header["dtype"].kind_and_size
        if kind == "O":
            # Objects are a pickle of their own.
            _Scanner(self._file, self._names).load()
            return
        if header.get("numpy_array_alignment_bytes") is not None:
            self._file.seek(self._file.read(1)[0], io.SEEK_CUR)
        # `prod` of an empty shape is 1: an array without dimensions has one item.
        self._file.seek(math.prod(header["shape"]) * item_bytes, io.SEEK_CUR)


_Scanner.dispatch[pickle.BUILD[0]] = _Scanner.load_build
