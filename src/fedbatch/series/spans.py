"""Sets of stretches of time: starts and ends in µs, in order, apart from one another."""

from typing import NamedTuple

import numpy as np

from fedbatch.series.blocks import Flags, Integers

__all__ = ["Spans", "complement", "length", "longest", "spans_of", "union"]


class Spans(NamedTuple):
    """Stretches [start, end); an instant between two that touch does not part them."""

    starts: Integers
    ends: Integers


def spans_of(starts: Integers, ends: Integers) -> Spans:
    """The set of stretches that lie anywhere; empty ones are left out."""
    is_there: Flags = ends > starts
    starts, ends = starts[is_there], ends[is_there]
    if not starts.size:
        return Spans(starts, ends)
    order = np.argsort(starts, kind="stable")
    starts, reach = starts[order], np.maximum.accumulate(ends[order])
    is_first = np.append(True, starts[1:] > reach[:-1])
    is_last = np.append(is_first[1:], True)
    return Spans(starts[is_first], reach[is_last])


def union(one: Spans, other: Spans) -> Spans:
    """Whatever is in either."""
    return spans_of(
        np.concatenate([one.starts, other.starts]), np.concatenate([one.ends, other.ends])
    )


def complement(spans: Spans, first: int, last: int) -> Spans:
    """Whatever of [first, last) is in none of the stretches, which lie within it."""
    return spans_of(
        np.concatenate([[np.int64(first)], spans.ends]),
        np.concatenate([spans.starts, [np.int64(last)]]),
    )


def length(spans: Spans) -> int:
    """µs in all stretches together."""
    return int((spans.ends - spans.starts).sum())


def longest(spans: Spans) -> int:
    """µs in the longest stretch; 0 if there is none."""
    return int((spans.ends - spans.starts).max(initial=0))
