"""Blocks for tests: strategies, and short spellings."""

from collections.abc import Mapping, Sequence

import numpy as np
from hypothesis import strategies as st

from fedbatch.series.blocks import Block, Column, Mark, from_rows

marks = st.builds(
    Mark,
    st.sampled_from(["", "bad", "uncertain", "missing"]),
    st.sampled_from(["", "0x80050000", "Bad Sensor"]),
    st.sampled_from(["", "7.0", "I/O Timeout", "é"]),
)


def column(
    numbers: Sequence[float | None],
    scale: int | None = 0,
    marked: Mapping[int, Mark] | None = None,
) -> Column:
    kind = np.float64 if scale is None else np.int64
    present = np.array([number is not None for number in numbers], dtype=np.bool_)
    return Column(
        scale,
        np.array([number or 0 for number in numbers], dtype=kind),  # type: ignore[arg-type] # by kind
        None if present.all() else present,
        marked or {},
    )


@st.composite
def columns(draw: st.DrawFn, length: int) -> Column:
    scale = draw(st.sampled_from([None, 0, 2, 5, 12]))
    plain = (
        st.floats(allow_nan=False, allow_infinity=False)
        if scale is None
        else st.integers(-(10**6), 10**6) | st.integers(-(10**18) + 1, 10**18 - 1)
    )
    numbers = draw(st.lists(st.none() | plain, min_size=length, max_size=length))
    rows = draw(st.sets(st.integers(0, length - 1))) if length else set()
    marked = {row: draw(marks) for row in sorted(rows)}
    said = {row: mark for row, mark in marked.items() if any(mark) or numbers[row] is None}
    return column(numbers, scale, said)


@st.composite
def blocks(draw: st.DrawFn, names: tuple[str, ...] = ("PH.PV", "T.PV", "T.SP")) -> Block:
    length = draw(st.integers(0, 8))
    times = draw(
        st.lists(st.integers(-5, 5) | st.integers(0, 10**15), min_size=length, max_size=length)
    )
    held = draw(st.sets(st.sampled_from(names)))
    made = {name: draw(columns(length)) for name in sorted(held)}
    return from_rows(np.array(times, dtype=np.int64), made)
