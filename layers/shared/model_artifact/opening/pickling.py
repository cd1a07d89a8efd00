"""Pickles a model as joblib does, so that a training gives the same bytes whatever its process did before."""

from __future__ import annotations

import io
import pickle
import sys
from typing import Any

from joblib.compressor import BinaryZlibFile
from joblib.numpy_pickle import NumpyPickler

# zlib level 3: the forest's 82 MB become 16 MB, and unpacking them takes less time than reading 82 MB.
_COMPRESSION = 3


class _Pickler(NumpyPickler):  # type: ignore[misc]
    """joblib's pickler, for which equal texts are one object.

    A pickle refers back to a text that it has had, and knows it by its identity: the same model would have other bytes
    in a process whose history gave it two objects for one text.
    """

    def save(self, obj: Any) -> None:
        super().save(sys.intern(obj) if type(obj) is str else obj)


def pickled(model: Any) -> bytes:
    """Return a model as joblib pickles it, compressed; which of its texts are one object makes no difference."""
    file = io.BytesIO()
    with io.BufferedWriter(BinaryZlibFile(file, "wb", compresslevel=_COMPRESSION)) as compressed:
        _Pickler(compressed, protocol=pickle.DEFAULT_PROTOCOL).dump(model)
    return file.getvalue()
