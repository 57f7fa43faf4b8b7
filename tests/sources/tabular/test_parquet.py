import datetime as dt
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from fedbatch.errors import InputError
from fedbatch.series.blocks import Mark
from fedbatch.series.decimals import read_decimals
from fedbatch.sources.tabular import Bounds, extract, is_whole, read_columns, read_file

AT = dt.datetime(2026, 2, 1, 6, 15, tzinfo=dt.UTC)


def write(path: Path, **columns: Any) -> Path:
    parquet.write_table(pa.table(columns), path)
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write(
        tmp_path / "log.parquet",
        time=pa.array([AT.replace(tzinfo=None), None], pa.timestamp("us")),
        zoned=pa.array([AT, AT + dt.timedelta(milliseconds=5)], pa.timestamp("ms", "UTC")),
        day=pa.array([AT.date(), None], pa.date32()),
        double=pa.array([0.1, 100.0]),
        single=pa.array([0.1, 1e30], pa.float32()),
        whole=pa.array([2**53 + 1, None], pa.int64()),
        text=pa.array(["I/O Timeout", ""]),
        coded=pa.array(["x", "y"]).dictionary_encode(),
    )


TOLD = {
    "time": ["2026-02-01 06:15:00.000000", ""],
    "zoned": ["2026-02-01 06:15:00.000000Z", "2026-02-01 06:15:00.005000Z"],
    "day": ["2026-02-01", ""],
    "double": ["0.1", "100.0"],
    "single": ["0.1", "1e+30"],
    "whole": ["9007199254740993", ""],
    "text": ["I/O Timeout", ""],
    "coded": ["x", "y"],
}


def test_values_are_the_shortest_texts_that_say_the_same(path: Path) -> None:
    (table,) = read_file(path).tables
    assert {column.header: list(column.texts) for column in table.columns} == TOLD
    assert (table.header_row, list(table.rows), table.scheme) == (1, [2, 3], "row_column")


def test_binary_numbers_are_written_with_equal_decimals_unless_one_has_an_exponent(
    tmp_path: Path,
) -> None:
    path = write(
        tmp_path / "a.parquet",
        even=[50.1, -3.0, None, 50.25],
        whole=[1.0, 2.0, None, 3.0],
        large=[0.5, 1e30, None, 2.25],
        odd=[0.5, float("nan"), float("inf"), 2.25],
    )
    (table,) = read_file(path).tables
    assert {column.header: list(column.texts) for column in table.columns} == {
        "even": ["50.10", "-3.00", "", "50.25"],
        "whole": ["1", "2", "", "3"],
        "large": ["0.5", "1e+30", "", "2.25"],
        "odd": ["0.5", "nan", "inf", "2.25"],
    }


def test_columns_read_whole_are_those_read_by_cell(path: Path) -> None:
    whole, by_cell = read_columns(path), read_file(path)
    assert whole is not None
    assert whole.file == by_cell.file
    (one,), (other,) = whole.tables, by_cell.tables
    assert [list(column.texts) for column in one.columns] == [
        list(column.texts) for column in other.columns
    ]
    assert list(one.rows) == list(other.rows)


def test_a_place_leads_back_to_its_text(path: Path) -> None:
    assert extract(path, "row_column", "R3C4") == "100.0"
    assert extract(path, "row_column", "R1C6") == "whole"
    with pytest.raises(InputError) as refusal:
        extract(path, "row_column", "R4C1")
    assert refusal.value.code == "locator.outside"


def test_a_parquet_file_is_never_shared_as_whole(path: Path) -> None:
    """It can hold notes beside its data, so that nobody can say it holds rows alone."""
    assert not is_whole(path)


@pytest.mark.parametrize(
    ("column", "type_"),
    [
        (pa.array([[1, 2], [3]]), "list<element: int64>"),
        (pa.array([{"a": 1}, None]), "struct<a: int64>"),
        (pa.array([[{"a": [1]}], None]), "list<element: struct<a: list<element: int64>>>"),
        (pa.array([b"\xff\xfe", b""]), "binary"),
        (pa.array([b"ab", b"cd"], pa.binary(2)), "fixed_size_binary[2]"),
        (pa.array([b"ab", b"cd"]).dictionary_encode(), "dictionary<"),
    ],
    ids=["lists", "structs", "lists-of-structs", "bytes", "fixed-bytes", "coded-bytes"],
)
def test_a_column_without_texts_is_named_and_left_out(
    tmp_path: Path, column: Any, type_: str
) -> None:
    path = write(tmp_path / "a.parquet", before=[1, 2], odd=column, after=["x", "y"])
    whole = read_columns(path)
    assert whole is not None
    for reading in (read_file(path), whole):
        (table,) = reading.tables
        assert [item.header for item in table.columns] == ["before", "after"]
        assert [list(item.texts) for item in table.columns] == [["1", "2"], ["x", "y"]]
        assert [item.header for item in table.left_out] == ["odd"]
        (found,) = reading.findings
        assert (found.rule, found.where.locator) == ("table.column_left_out", "R1C2")
        assert "'odd'" in found.found
        assert type_ in found.found
        # Places are those of the file, with what is left out.
        assert table.locator(2, table.columns[1].index) == "R2C3"
    assert extract(path, "row_column", "R3C3") == "y"


def test_a_file_of_nothing_that_can_be_read_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", odd=pa.array([[1, 2], [3]]), bytes=[b"x", b"y"])
    with pytest.raises(InputError) as refusal:
        read_file(path)
    assert refusal.value.code == "file.parquet"
    assert "a.parquet" in str(refusal.value)


def test_a_file_without_odd_columns_has_no_findings(path: Path) -> None:
    whole = read_columns(path)
    assert whole is not None
    assert read_file(path).findings == whole.findings == ()


# ---- types


@pytest.mark.parametrize(
    ("column", "texts"),
    [
        (pa.array([True, None, False]), ["true", "", "false"]),
        (pa.nulls(2), ["", ""]),
        (pa.array([Decimal("1.50"), None], pa.decimal128(10, 2)), ["1.50", ""]),
        (
            pa.array([Decimal("1E-7"), Decimal(0), Decimal(12)], pa.decimal128(20, 7)),
            ["0.0000001", "0.0000000", "12.0000000"],
        ),
        (pa.array([Decimal("0." + "1" * 38)], pa.decimal128(38, 38)), ["0." + "1" * 38]),
        (pa.array([Decimal(10**50)], pa.decimal256(60, 2)), [f"{10**50}.00"]),
        (pa.array([Decimal("-0.5")], pa.decimal32(4, 3)), ["-0.500"]),
        (
            pa.array(np.array([0.5, -2.25, 65504], np.float16), pa.float16()),
            ["0.50", "-2.25", "65504.00"],
        ),
        (pa.array([2**64 - 1, None], pa.uint64()), ["18446744073709551615", ""]),
        (pa.array([-5], pa.int8()), ["-5"]),
        (pa.array([1.5, None, 2.5]).dictionary_encode(), ["1.5", "", "2.5"]),
        (pa.array(["a", None], pa.large_string()), ["a", ""]),
        (pa.array(["a", None], pa.string_view()), ["a", ""]),
        (pa.array([0, None], pa.date64()), ["1970-01-01", ""]),
        (pa.array([3661, None], pa.time32("s")), ["01:01:01.000", ""]),
        (pa.array([1, 2000], pa.time64("us")), ["00:00:00.000001", "00:00:00.002000"]),
        (pa.array([1], pa.time64("ns")), ["00:00:00.000000001"]),
        (pa.array([90, None, -5], pa.duration("s")), ["PT90S", "", "-PT5S"]),
        (pa.array([-1, 5250, 0], pa.duration("ms")), ["-PT0.001S", "PT5.250S", "PT0.000S"]),
        (pa.array([-(2**63)], pa.duration("ns")), ["-PT9223372036.854775808S"]),
    ],
    ids=lambda item: str(item.type) if isinstance(item, pa.Array) else "",
)
def test_each_type_has_its_texts(tmp_path: Path, column: Any, texts: list[str]) -> None:
    path = write(tmp_path / "a.parquet", it=column, row=list(range(len(column))))
    whole = read_columns(path)
    assert whole is not None
    for reading in (read_file(path), whole):
        assert list(reading.tables[0].columns[0].texts) == texts
        assert not reading.findings


def test_times_of_older_writers_are_times(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    table = pa.table({"t": pa.array([AT.replace(tzinfo=None)], pa.timestamp("ns"))})
    parquet.write_table(table, path, use_deprecated_int96_timestamps=True)
    (read,) = read_file(path).tables
    assert list(read.columns[0].texts) == ["2026-02-01 06:15:00.000000"]


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC", "Europe/Zurich"])
def test_a_times_text_does_not_depend_on_the_others(
    tmp_path: Path, unit: Literal["ms", "us", "ns"], zone: str | None
) -> None:
    """A day of whole seconds is written as one with parts of them: one format reads both."""
    end = "Z" if zone else ""
    texts = {0: f"1970-01-01 00:00:00.000000{end}", 5: f"1970-01-01 00:00:00.005000{end}"}
    factor = {"ms": 1, "us": 1_000, "ns": 1_000_000}[unit]
    days: list[list[int | None]] = [[0], [0, 5], [5, None]]
    for number, held in enumerate(days):
        counts = [item * factor if item is not None else None for item in held]
        times = pa.array(counts, pa.int64()).cast(pa.timestamp(unit, zone))
        path = write(tmp_path / f"{number}.parquet", t=times, row=list(range(len(held))))
        column = read_file(path).tables[0].columns[0]
        assert list(column.texts) == [texts[item] if item is not None else "" for item in held]
        moment = dt.datetime.strptime(column.texts[0], column.time_format)  # noqa: DTZ007 - of both kinds
        assert moment.microsecond == 1_000 * (held[0] or 0)


def test_times_finer_than_a_microsecond_are_cut_and_counted(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.parquet",
        fine=pa.array([1_999, 2_000, None, -1], pa.timestamp("ns")),
        whole=pa.array([1_000, 2_000, 5_000, 3_000], pa.timestamp("ns")),
    )
    whole = read_columns(path)
    assert whole is not None
    for reading in (read_file(path), whole):
        fine, _ = reading.tables[0].columns
        assert list(fine.texts) == [
            "1970-01-01 00:00:00.000001",
            "1970-01-01 00:00:00.000002",
            "",
            "1969-12-31 23:59:59.999999",
        ]
        (found,) = reading.findings
        assert (found.rule, found.where.locator) == ("table.time_cut", "R1C1")
        assert found.found.startswith("2 of 3 times")


def test_texts_that_are_no_utf8_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    parquet.write_table(pa.table({"a": ["abcdefgh"]}), path, compression="none")
    content = path.read_bytes()
    path.write_bytes(content.replace(b"abcdefgh", b"abcd\xffgh\xfe"))
    with pytest.raises(InputError) as refusal:
        read_file(path)
    assert refusal.value.code == "file.damaged"


# ---- pages


@pytest.mark.parametrize("codec", ["none", "snappy", "gzip", "brotli", "zstd", "lz4"])
def test_every_codec_that_is_there_is_read(tmp_path: Path, codec: Any) -> None:
    if codec != "none" and not pa.Codec.is_available(codec):
        pytest.skip(f"{codec} is not built in")
    path, table = tmp_path / "a.parquet", pa.table({"a": [1.5, 2.5] * 500, "b": ["x", "y"] * 500})
    for version in ("1.0", "2.0"):
        parquet.write_table(table, path, compression=codec, data_page_version=version)
        (read,) = read_file(path).tables
        assert [list(item.texts) for item in read.columns] == [
            ["1.5", "2.5"] * 500,
            ["x", "y"] * 500,
        ]


def test_a_codec_that_is_not_there_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", x=[1, 2, 3])
    content = path.read_bytes()
    name = b"\x19\x18\x01x\x15"  # the list of one name, then the codec, as Thrift writes them
    assert content.count(name + b"\x02") == 1
    path.write_bytes(content.replace(name + b"\x02", name + b"\x06"))
    with pytest.raises(InputError) as refusal:
        read_file(path)
    assert refusal.value.code == "file.codec"
    assert "LZO" in str(refusal.value)
    assert "snappy" in refusal.value.expected


def flipped(path: Path, *, write_page_checksum: bool) -> None:
    """Write a column of which one value is another afterwards, its page otherwise whole."""
    table = pa.table({"a": pa.array([7, 7, 7], pa.int64())})
    parquet.write_table(
        table,
        path,
        compression="none",
        use_dictionary=False,
        write_statistics=False,
        write_page_checksum=write_page_checksum,
    )
    content = bytearray(path.read_bytes())
    at = content.index((7).to_bytes(8, "little") * 3)
    content[at] ^= 1
    path.write_bytes(content)


def test_a_page_that_is_not_its_checksums_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    flipped(path, write_page_checksum=True)
    for read in (read_file, read_columns):
        with pytest.raises(InputError) as refusal:
            read(path)
        assert refusal.value.code == "file.damaged"
        assert "CRC" in refusal.value.found


def test_a_page_without_a_checksum_is_read_as_it_is(tmp_path: Path) -> None:
    """Nothing shows the flipped bit but the checksum: the control to the test before."""
    path = tmp_path / "a.parquet"
    flipped(path, write_page_checksum=False)
    assert list(read_file(path).tables[0].columns[0].texts) == ["6", "7", "7"]


def test_texts_by_shared_prefixes_are_left_out_and_those_by_lengths_read(tmp_path: Path) -> None:
    """A few bytes by prefixes may stand for texts without a bound."""
    path = tmp_path / "a.parquet"
    parquet.write_table(
        pa.table({"a": ["x", "xy"], "b": ["x", "xy"]}),
        path,
        use_dictionary=False,
        column_encoding={"a": "DELTA_BYTE_ARRAY", "b": "DELTA_LENGTH_BYTE_ARRAY"},
    )
    reading = read_file(path)
    (table,) = reading.tables
    assert [(item.header, list(item.texts)) for item in table.columns] == [("b", ["x", "xy"])]
    assert "DELTA_BYTE_ARRAY" in reading.findings[0].found


def test_a_schema_too_deep_to_walk_is_refused(tmp_path: Path) -> None:
    for depth, code in ((20, None), (80, "file.damaged")):
        array: Any = pa.array([1])
        for _ in range(depth):
            array = pa.StructArray.from_arrays([array], ["a"])
        path = write(tmp_path / f"{depth}.parquet", deep=array, flat=[1])
        if code is None:
            assert [item.header for item in read_file(path).tables[0].left_out] == ["deep"]
            continue
        with pytest.raises(InputError) as refusal:
            read_file(path)
        assert refusal.value.code == code


def test_bytes_of_what_is_left_out_count_for_nothing(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", large=[b"x" * 100_000], small=[1])
    assert read_file(path, bounds=Bounds(text_bytes_max=50_000)).tables[0].left_out
    long = write(tmp_path / "b.parquet", large=["x" * 100_000], small=[1])
    with pytest.raises(InputError) as refusal:
        read_file(long, bounds=Bounds(text_bytes_max=50_000))
    assert refusal.value.code == "file.too_large"


@pytest.mark.parametrize(
    ("bounds", "code"),
    [
        (Bounds(columns_max=7), "file.columns"),
        (Bounds(text_cells_max=15), "file.cells"),
        (Bounds(text_bytes_max=100), "file.too_large"),
        (Bounds(workbook_bytes_max=100), "file.too_large"),
    ],
    ids=["columns", "cells", "unfolded", "bytes"],
)
def test_bounds_hold_before_anything_is_unfolded(path: Path, bounds: Bounds, code: str) -> None:
    for read in (read_file, read_columns):
        with pytest.raises(InputError) as refusal:
            read(path, bounds=bounds)
        assert refusal.value.code == code


def test_a_cut_file_is_refused(path: Path) -> None:
    content = path.read_bytes()
    for length in (4, 12, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:length])
        with pytest.raises(InputError):
            read_file(path)


def test_damaged_bytes_are_refused_or_read_but_break_nothing(path: Path) -> None:
    content, chance = path.read_bytes(), np.random.default_rng(7)
    refused = 0
    for _ in range(300):
        damaged = bytearray(content)
        damaged[int(chance.integers(4, len(content) - 4))] ^= 1 << int(chance.integers(8))
        path.write_bytes(damaged)
        try:
            read_file(path)
        except InputError:
            refused += 1
    assert refused > 100


def test_numbers_of_a_column_are_what_its_texts_are_read_as(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.parquet",
        even=[50.1, -3.0, None, 50.25],
        whole=pa.array([7, None, -(10**17), 0], pa.int64()),
        full=[1149.9390870455668, 0.5, None, -3.0],
        empty=pa.array([None, None, None, None], pa.float64()),
    )
    reading = read_columns(path)
    assert reading is not None
    for column in reading.tables[0].columns:
        assert column.numbers is not None, column.header
        read = read_decimals(pa.array(list(column.texts)))
        assert not read.unread
        assert column.numbers.scale == read.column.scale, column.header
        assert column.numbers.numbers.tolist() == read.column.numbers.tolist()
        present, told = column.numbers.present, read.column.present
        assert (present is None) == (told is None)
        assert present is None or told is None or present.tolist() == told.tolist()


def test_what_only_texts_can_tell_has_no_numbers(path: Path, tmp_path: Path) -> None:
    odd = write(tmp_path / "odd.parquet", odd=[0.5, float("nan")], zero=[-0.0, 1.0])
    for file in (path, odd):
        reading = read_columns(file)
        assert reading is not None
        told = {column.header for column in reading.tables[0].columns if column.numbers is None}
        assert told == set(TOLD) - {"double", "whole"} if file == path else {"odd", "zero"}


def test_a_zeros_sign_is_kept_as_its_text(tmp_path: Path) -> None:
    """Among numbers written out in full too, where zeros are read without their sign."""
    full = 1149.9390870455668
    path = write(tmp_path / "a.parquet", full=[-0.0, full, None, 0.0], few=[-0.0, 0.5, None, 0.0])
    reading = read_columns(path)
    assert reading is not None
    told, texts = (item for item in reading.tables[0].columns)
    assert list(told.texts) == ["-0", str(full), "", "0"]
    assert list(texts.texts) == ["-0.0", "0.5", "", "0.0"]
    assert told.numbers is not None
    assert told.numbers.marks == {0: Mark(raw="-0")}
    assert told.numbers.numbers.tolist() == [0.0, full, 0.0, 0.0]
    assert read_decimals(pa.array(list(texts.texts))).column.marks == {0: Mark(raw="-0.0")}


def _repeated(path: Path, text: str, rows: int, *, codes: bool = False) -> Path:
    zeros: Any = pa.array([0] * rows, pa.int32())
    coded: Any = pa.DictionaryArray.from_arrays(zeros, pa.array([text]))
    table = pa.table({"t": coded if codes else coded.dictionary_decode(), "n": zeros})
    named: Any = ["t"]
    parquet.write_table(table, path, use_dictionary=named, dictionary_pagesize_limit=1 << 30)
    return path


@pytest.mark.parametrize("codes", [0, 1])
def test_a_long_text_in_many_rows_is_refused_before_it_is_written_out(
    tmp_path: Path, codes: int
) -> None:
    path = _repeated(tmp_path / "many.parquet", "x" * 1_000_000, 400, codes=bool(codes))
    assert path.stat().st_size < 200_000
    for read in (read_file, read_columns):
        with pytest.raises(InputError) as refused:
            read(path)
        assert refused.value.code == "file.too_large"
        assert "column 't'" in str(refused.value)
    # Control: a text that is as long in a few rows, and a short one in many.
    few = _repeated(tmp_path / "few.parquet", "x" * 1_000_000, 3, codes=bool(codes))
    short = _repeated(tmp_path / "short.parquet", "RUNNING", 300_000, codes=bool(codes))
    for path, rows, text in ((few, 3, "x" * 1_000_000), (short, 300_000, "RUNNING")):
        reading = read_columns(path)
        assert reading is not None
        column = reading.tables[0].columns[0]
        assert len(column.texts) == rows
        assert column.texts[rows - 1] == text
