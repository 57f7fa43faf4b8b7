"""The few Arrow operations that this room uses, with types of numpy and Python.

Arrow arrays are `Any` here: their published types know no decimals of eight bytes and take a column
of integers for one of booleans.
"""

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from fedbatch.series.blocks import DIGITS_MAX, Flags, Integers

__all__ = [
    "Texts",
    "arrow",
    "bytes_of",
    "compute",
    "flags_of",
    "integers_of",
    "one_array",
    "parquet",
    "rows_of",
    "scaled_of",
]

arrow: Any = pa
compute: Any = pc
parquet: Any = pq

# A pyarrow array of strings.
Texts: TypeAlias = Any


def one_array(texts: Any) -> Texts:
    """An array of strings, null as "", from an array or chunks of any kind of string."""
    whole = texts.combine_chunks() if isinstance(texts, arrow.ChunkedArray) else texts
    if isinstance(whole, arrow.ChunkedArray):
        whole = arrow.concat_arrays(whole.chunks)
    if whole.type != arrow.string():
        whole = whole.cast(arrow.string())
    return compute.fill_null(whole, "") if whole.null_count else whole


def bytes_of(texts: Texts) -> npt.NDArray[np.uint8]:
    """All bytes of all texts in a row."""
    _, ends, content = texts.buffers()
    if content is None or not len(texts):
        return np.empty(0, dtype=np.uint8)
    edges = np.frombuffer(ends, dtype=np.int32)
    return np.frombuffer(content, dtype=np.uint8)[
        edges[texts.offset] : edges[texts.offset + len(texts)]
    ]


def flags_of(found: Any) -> Flags:
    """A column of booleans without nulls; it may be written to."""
    return np.array(found.to_numpy(zero_copy_only=False), dtype=np.bool_)


def integers_of(found: Any) -> Integers:
    """A column of integers without nulls."""
    return np.asarray(found.to_numpy(zero_copy_only=False), dtype=np.int64)


def rows_of(texts: Texts, rows: Integers) -> Texts:
    """The texts of some rows."""
    return texts.take(arrow.array(rows))


def scaled_of(texts: Texts, scale: int) -> Integers | None:
    """The numbers of decimal texts at a scale; None if one is no number or needs more digits."""
    if scale > DIGITS_MAX:
        return None
    try:
        found = compute.cast(texts, arrow.decimal64(DIGITS_MAX, scale))
    except arrow.ArrowInvalid:
        return None
    numbers = np.frombuffer(found.buffers()[1], dtype=np.int64)
    return numbers[found.offset : found.offset + len(found)]
