"""Segments: what was written is read, whatever encodes it; nothing hostile gets past."""

import hashlib
import io
import json
import struct
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fedbatch.errors import FedbatchError, InputError, IntegrityError
from fedbatch.series import segments
from fedbatch.series.blocks import Block, Column, Mark, concatenate, count, equal, from_rows
from fedbatch.series.segments import (
    CELLS_MAX,
    points_hash,
    read_segment,
    split_block,
    write_segment,
)
from tests.unit.series.making import blocks, column

FEW = settings(max_examples=60)


def written(block: Block) -> bytes:
    return write_segment(block, ledger="l-1", series="se-4", parameters=[{"code": "PH"}])


def read(content: bytes) -> Block:
    return read_segment(content, ledger="l-1", series="se-4")


@pytest.fixture(scope="module")
def small() -> Block:
    return from_rows(
        np.array([10, 10, 20, 30], dtype=np.int64),
        {
            "PH.PV": column([702, None, 703, 704], 2, {1: Mark("bad", "0x80", "I/O Timeout")}),
            "T.PV": column([36.5, 1e-7, None, 3.0], None),
            "V.PV": column([10**17, -1, 2, 3], 12, {3: Mark(raw="3e0")}),
            "W.PV": column([1, 2, None, 4], 0, {2: Mark()}),
        },
    )


@FEW
@given(blocks())
def test_a_block_comes_back_with_every_point(block: Block) -> None:
    again = read(written(block))
    assert equal(again, block)
    assert again.times.tolist() == block.times.tolist()
    assert points_hash(again) == points_hash(block)


@FEW
@given(blocks())
def test_the_same_block_gives_the_same_bytes(block: Block) -> None:
    assert written(block) == written(block)


def test_source_rows_are_kept_where_times_do_not_increase(small: Block) -> None:
    assert small.rows is not None
    rows = read(written(small)).rows
    assert rows is not None
    assert rows.tolist() == small.rows.tolist()


def test_fields_have_the_types_of_the_standard(small: Block) -> None:
    file = pq.ParquetFile(io.BytesIO(written(small)))
    found = {file.schema.column(at).name: file.schema.column(at) for at in range(len(file.schema))}
    assert list(found) == ["t", "n", "PH.PV", "q.PH.PV", "raw.PH.PV", "T.PV", "V.PV", "raw.V.PV",
                           "W.PV", "q.W.PV"]  # fmt: skip
    assert str(found["PH.PV"].logical_type) == "Decimal(precision=9, scale=2)"
    assert str(found["V.PV"].logical_type) == "Decimal(precision=18, scale=12)"
    physical = [found[name].physical_type for name in ("t", "PH.PV", "V.PV", "T.PV")]
    assert physical == ["INT64", "INT32", "INT64", "DOUBLE"]
    group = file.metadata.row_group(0)
    chunks = {group.column(at).path_in_schema: group.column(at) for at in range(len(found))}
    assert {chunk.compression for chunk in chunks.values()} == {"ZSTD"}
    assert not any(chunk.has_dictionary_page for chunk in chunks.values())
    assert "DELTA_BINARY_PACKED" in chunks["t"].encodings
    assert "DELTA_BINARY_PACKED" in chunks["PH.PV"].encodings
    assert "BYTE_STREAM_SPLIT" in chunks["T.PV"].encodings
    note = file.metadata.metadata
    assert note is not None
    assert (
        note[b"fedbatch"]
        == b'{"layout":1,"ledger":"l-1","parameters":[{"code":"PH"}],"series":"se-4"}'
    )


# ---- the hash


def test_the_hash_is_that_of_the_standard() -> None:
    block = from_rows(
        np.array([5, 7], dtype=np.int64),
        {
            "A.PV": column([150, None], 2, {1: Mark("bad", "", "I/O")}),
            "B.PV": column([2.5, 1.0], None, {1: Mark(raw="1.0")}),
            "C.PV": column([None, None]),
        },
    )
    expected = (
        b'["A.PV",2,2]\n' + struct.pack("<4q", 5, 7, 150, 0) + b'[1,"","bad","","I/O"]\n'
        b'["B.PV","d",2]\n' + struct.pack("<2q2d", 5, 7, 2.5, 1.0) + b'[1,"1","","","1.0"]\n'
    )
    assert points_hash(block) == hashlib.sha256(expected).hexdigest()


def encoded_anew(content: bytes) -> bytes:
    """The same fields with another compression, dictionaries and small row groups."""
    sink = io.BytesIO()
    table = pq.read_table(io.BytesIO(content))
    pq.write_table(
        table, sink, compression="snappy", row_group_size=2, store_decimal_as_integer=True
    )
    return sink.getvalue()


@FEW
@given(blocks())
def test_another_encoding_of_the_same_points_has_the_same_hash(block: Block) -> None:
    first = written(block)
    again = encoded_anew(first)
    assert again != first
    assert points_hash(read(again)) == points_hash(block)


@FEW
@given(blocks(), st.data())
def test_any_changed_point_changes_the_hash(block: Block, data: st.DataObject) -> None:
    if not count(block):
        return
    name = data.draw(st.sampled_from(sorted(block.columns)))
    row = data.draw(st.integers(0, block.times.size - 1))
    old = block.columns[name]
    changed = dict(block.columns)
    if data.draw(st.booleans()):
        marked = dict(old.marks) | {row: Mark("substituted", "x", "y")}
        changed[name] = Column(old.scale, old.numbers, old.present, marked)
    else:
        numbers = old.numbers.copy()
        numbers[row] = 1 if numbers[row] != 1 else 2
        present = np.ones(numbers.size, np.bool_) if old.present is None else old.present.copy()
        present[row] = True
        marked = {at: mark for at, mark in old.marks.items() if at != row}
        changed[name] = Column(old.scale, numbers, present, marked)
    assert points_hash(Block(block.times, changed, block.rows)) != points_hash(block)


# ---- size


def long_block(rows: int) -> Block:
    numbers = np.arange(rows, dtype=np.int64) % 1000
    marked = {row: Mark(raw="x" * 50) for row in range(0, rows, 7)}
    return Block(numbers.cumsum() + np.arange(rows), {"A.PV": Column(1, numbers, None, marked)})


def test_parts_of_a_block_each_fit_and_hold_all_points() -> None:
    block = long_block(5000)
    parts = list(split_block(block, 20_000))
    assert len(parts) > 1
    assert all(len(written(part)) <= 20_000 for part in parts)
    assert equal(concatenate(parts), block)


def test_a_row_that_fits_nowhere_is_refused() -> None:
    with pytest.raises(InputError) as refused:
        list(split_block(long_block(10), 50))
    assert refused.value.code == "segment.size"


# ---- hostile content


NOTE = json.dumps({"layout": 1, "ledger": "l-1", "series": "se-4"})


def table_of(**fields: object) -> pa.Table:
    times = pa.array([1, 2], pa.timestamp("us", tz="UTC"))
    return pa.table({"t": times} | fields).replace_schema_metadata({"fedbatch": NOTE})  # type: ignore[arg-type] # arrays


def bytes_of(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink)
    return sink.getvalue()


def test_a_segment_of_another_series_or_ledger_is_none_of_this(small: Block) -> None:
    for names in ({"ledger": "l-2", "series": "se-4"}, {"ledger": "l-1", "series": "se-5"}):
        with pytest.raises(IntegrityError) as refused:
            read_segment(written(small), **names)
        assert refused.value.code == "segment.other"


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"t": pa.array([1, 2])}, "segment.format"),
        ({"t": pa.array([1, 2], pa.timestamp("us"))}, "segment.format"),
        ({"t": pa.array([2, 1], pa.timestamp("us", tz="UTC"))}, "segment.content"),
        ({"t": pa.array([1, 1], pa.timestamp("us", tz="UTC"))}, "segment.content"),
        ({"t": pa.array([1, None], pa.timestamp("us", tz="UTC"))}, "segment.content"),
        ({"n": pa.array([1.0, 2.0])}, "segment.format"),
        ({"n": pa.array([1, None])}, "segment.content"),
        ({"A": pa.array([1.0, 2.0])}, "segment.format"),
        ({"A.PV": pa.array([1, 2])}, "segment.format"),
        ({"A.PV": pa.array([[1], [2]])}, "segment.format"),
        ({"A.PV": pa.array(["1", "2"])}, "segment.format"),
        ({"A.PV": pa.array([1, 2], pa.decimal128(19, 2))}, "segment.format"),
        ({"A.PV": pa.array([1.0, float("nan")])}, "segment.content"),
        ({"q.A.PV": pa.array(["", ""])}, "segment.format"),
        ({"A.PV": pa.array([1.0, 2.0]), "q.A.PV": pa.array([1, 2])}, "segment.format"),
        (
            {"A.PV": pa.array([1.0, 2.0]), "raw.A.PV": pa.array(["x" * 70_000, ""])},
            "segment.content",
        ),
    ],
)
def test_other_fields_types_and_order_are_refused(fields: dict[str, object], code: str) -> None:
    with pytest.raises(InputError) as refused:
        read(bytes_of(table_of(**fields)))
    assert refused.value.code == code


def test_other_metadata_is_refused() -> None:
    second = {"fedbatch": '{"layout":2,"ledger":"l-1","series":"se-4"}'}
    for note in (None, {}, {"fedbatch": "["}, second):
        with pytest.raises(InputError) as refused:
            read(bytes_of(table_of().replace_schema_metadata(note)))
        assert refused.value.code == "segment.format"


def test_any_other_bytes_are_no_segment(small: Block) -> None:
    content = written(small)
    parts = content[:-1], content[: len(content) // 2], content[20:]
    for other in (b"", b"PAR1", b"PAR1PAR1", *parts):
        with pytest.raises(InputError) as refused:
            read(other)
        assert refused.value.code == "segment.format"


@settings(max_examples=200)
@given(st.data())
def test_flipped_bytes_are_refused_or_read_never_a_crash(data: st.DataObject) -> None:
    block = from_rows(
        np.arange(4, dtype=np.int64), {"A.PV": column([1, 2, None, 3], 1, {2: Mark("bad")})}
    )
    content = bytearray(written(block))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(4, len(content) - 1))
        content[at] = data.draw(st.integers(0, 255))
    try:
        read(bytes(content))
    except FedbatchError as error:
        assert error.code.startswith(("segment", "integrity"))  # noqa: PT017 - both are answers


def test_a_short_file_of_too_many_rows_is_refused_by_its_footer() -> None:
    rows = CELLS_MAX // 2 + 1
    zeros = np.zeros(rows)
    times = pa.array(np.arange(rows), pa.timestamp("us", tz="UTC"))
    table = table_of().schema
    sink = io.BytesIO()
    pq.write_table(
        pa.table({"t": times, "A.PV": pa.array(zeros)}).replace_schema_metadata(table.metadata),
        sink,
        compression="zstd",
        column_encoding={"t": "DELTA_BINARY_PACKED", "A.PV": "BYTE_STREAM_SPLIT"},
        use_dictionary=False,
    )
    with pytest.raises(InputError) as refused:
        read(sink.getvalue())
    assert refused.value.code == "segment.size"


def test_texts_that_repeat_a_long_one_are_not_unfolded() -> None:
    """A dictionary of one long text and many rows would be gigabytes as texts."""
    rows = 200_000
    times = pa.array(np.arange(rows), pa.timestamp("us", tz="UTC"))
    coded = pa.DictionaryArray.from_arrays(np.zeros(rows, dtype=np.int32), pa.array(["x" * 60_000]))
    table = pa.table({"t": times, "A.PV": pa.array(np.zeros(rows)), "raw.A.PV": coded})
    sink = io.BytesIO()
    with pq.ParquetWriter(sink, table.schema, store_schema=False) as writer:
        writer.write_table(table)
        writer.add_key_value_metadata({"fedbatch": NOTE})
    before = pa.total_allocated_bytes()
    block = read(sink.getvalue())
    assert pa.total_allocated_bytes() - before < 50_000_000
    assert len(set(map(id, block.columns["A.PV"].marks.values()))) == 1


def test_content_too_large_is_not_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segments, "SEGMENT_BYTES_MAX", 10)
    with pytest.raises(InputError) as refused:
        read(b"x" * 11)
    assert refused.value.code == "segment.size"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda: from_rows(np.array([1], dtype=np.int64), {"A.PV": column([float("inf")], None)}),
        lambda: from_rows(np.array([1], dtype=np.int64), {"A.PV": column([10**18], 0)}),
    ],
    ids=["infinite", "nineteen-digits"],
)
def test_numbers_that_a_segment_cannot_hold_are_refused(spoil: Callable[[], Block]) -> None:
    with pytest.raises(InputError) as refused:
        written(spoil())
    assert refused.value.code == "segment.content"
