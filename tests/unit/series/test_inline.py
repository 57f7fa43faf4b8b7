"""Points inline: as the standard writes them, back without loss, hostile ones refused."""

from typing import Any, Literal

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fedbatch.errors import InputError
from fedbatch.series.blocks import (
    Block,
    Column,
    Mark,
    count,
    equal,
    from_rows,
    merge,
    rescale,
    select,
)
from fedbatch.series.inline import decode_points, encode_points
from fedbatch.series.segments import points_hash
from fedbatch.standard.canonical import encode, parse
from fedbatch.standard.records import Clock, Points, SamplingModel, Series, SeriesParameter
from tests.unit.series.making import blocks, column

FEW = settings(max_examples=80)


def parameter(
    code: str, scale: int | None, role: Literal["PV", "SP", "OUT"] = "PV"
) -> SeriesParameter:
    return SeriesParameter(
        code=code, role=role, unit="1", raw_unit="1", between="linear", scale=scale,
        sampling_model=SamplingModel(model="raw"),
    )  # fmt: skip


def series(*parameters: SeriesParameter) -> Series:
    clock = Clock(zone="UTC", zone_basis="stated", precision="second")
    return Series(
        version=1, series="se-4", clock=clock, precedence="live", parameters=parameters, batch="b1"
    )


STANDARD = series(parameter("A", 2), parameter("B", 1), parameter("C", 2))


def test_the_example_of_the_standard_is_written_and_read() -> None:
    base = 1_772_435_700_000_000
    block = from_rows(
        np.array([base, base + 1_000_000], dtype=np.int64),
        {
            "A.PV": column([702, 703], 2),
            "B.PV": column([401, None], 1, {1: Mark("bad", "", "I/O Timeout")}),
            "C.PV": Column(2, np.array([3652, 0]), np.array([True, False])),
        },
    )
    [record] = encode_points(STANDARD, block)
    assert encode(record) == (
        b'{"base":"2026-03-02T07:15:00Z","codes":[{"quality":"bad"}],"index":[0,1,2,0,1],'
        b'"offset":[0,0,0,1000000,1000000],"quality":[[4,0]],"raw":[[4,"I/O Timeout"]],'
        b'"scaled":[702,401,3652,703,""],"series":"se-4","version":1}'
    )
    assert equal(decode_points(STANDARD, [record]), block)


WHOLE = st.sampled_from([(None, 0, 2), (2, 5, 12), (0, 0, None)])


def expressible(block: Block, of: Series) -> Block:
    """The block at scales and with marks that points of the series can hold."""
    made = {}
    for item in of.parameters:
        name = f"{item.code}.{item.role}"
        if name not in block.columns:
            continue
        old = block.columns[name]
        marked = {
            row: mark._replace(quality_code=mark.quality_code if mark.quality else "")
            for row, mark in old.marks.items()
        }
        there = np.ones(old.numbers.size, np.bool_) if old.present is None else old.present
        marked = {row: mark for row, mark in marked.items() if any(mark) or not there[row]}
        scale = old.scale
        numbers = old.numbers
        if (item.scale is None) != (scale is None):
            made[name] = column([0] * numbers.size, item.scale)
            continue
        if scale is not None and item.scale is not None and scale < item.scale:
            small = Column(scale, numbers % 1000, old.present)
            scale, numbers = item.scale, rescale(small, item.scale).numbers
        made[name] = Column(scale, numbers, old.present, marked)
    return Block(block.times, made, block.rows)


@FEW
@given(blocks(), WHOLE, st.sampled_from([64_000, 260]))
def test_every_point_comes_back_whatever_the_size_of_entries(
    block: Block, scales: tuple[int | None, ...], bytes_max: int
) -> None:
    of = series(
        parameter("PH", scales[0]), parameter("T", scales[1]), parameter("T", scales[2], "SP")
    )
    held = expressible(block, of)
    records = encode_points(of, held, bytes_max)
    assert all(len(encode(record)) <= bytes_max for record in records)
    crossed = [parse(encode(record), Points) for record in records]
    again = decode_points(of, crossed)
    assert count(again) == count(held)
    # A text tells the scale of a column only where it is larger than the series'.
    alike = {name: held.columns[name].scale for name in again.columns}
    columns = {name: rescale(again.columns[name], scale) for name, scale in alike.items()}
    assert equal(Block(again.times, columns, again.rows), held)


def test_records_that_come_late_or_twice_at_one_time_keep_their_order() -> None:
    items = [
        Points(version=1, series="se-4", base=base, index=(0, 1), offset=(0, 5), scaled=scaled)
        for base, scaled in (
            ("1970-01-01T00:00:01Z", (1, 2)),
            ("1970-01-01T00:00:00Z", (3, 4)),
            ("1970-01-01T00:00:01Z", (5, 6)),
        )
    ]
    block = decode_points(STANDARD, items)
    assert select(block, ["A.PV"]).columns["A.PV"].numbers[:1].tolist() == [3]
    expected = merge([decode_points(STANDARD, [item]) for item in items])
    assert equal(block, expected)
    assert points_hash(block) == points_hash(expected)


def test_numbers_too_large_for_json_are_decimal_texts() -> None:
    block = from_rows(np.array([0], dtype=np.int64), {"A.PV": column([2**53], 2)})
    [record] = encode_points(STANDARD, block)
    assert record.scaled == ("90071992547409.92",)
    assert equal(decode_points(STANDARD, [record]), block)


def test_a_number_of_more_decimals_than_the_series_widens_its_column() -> None:
    item = Points(
        version=1,
        series="se-4",
        base="2026-03-02T07:15:00Z",
        index=(0, 0),
        offset=(0, 1),
        scaled=(702, "7.125"),
    )
    block = decode_points(STANDARD, [item])
    assert (block.columns["A.PV"].scale, block.columns["A.PV"].numbers.tolist()) == (
        3,
        [7020, 7125],
    )


def test_binary_numbers_in_a_series_of_decimals_come_back_as_they_were() -> None:
    numbers = [1149.9390870455668, 0.8387179933254993, 7.5, 1e-07, 1.2345678901234567e-08]
    times = np.arange(len(numbers), dtype=np.int64)
    records = encode_points(STANDARD, from_rows(times, {"A.PV": column(numbers, None)}))
    [record] = records
    assert record.scaled[0] == "1149.9390870455668"
    found = decode_points(STANDARD, records).columns["A.PV"]
    assert (found.scale, found.numbers.tolist()) == (None, numbers)


def test_decimals_beside_binary_numbers_stay_exact_while_one_scale_holds_them() -> None:
    item = Points(**(GOOD | {"scaled": (702, "0.8387179933254993"), "index": (0, 0)}))
    found = decode_points(STANDARD, [item]).columns["A.PV"]
    assert (found.scale, found.numbers.tolist()) == (16, [70200000000000000, 8387179933254993])
    item = Points(**(GOOD | {"scaled": (70200, "0.8387179933254993"), "index": (0, 0)}))
    found = decode_points(STANDARD, [item]).columns["A.PV"]
    assert (found.scale, found.numbers.tolist()) == (None, [702.0, 0.8387179933254993])


def test_a_text_that_is_no_binary_number_of_its_own_is_refused_beside_them() -> None:
    item = Points(**(GOOD | {"scaled": ("1149.9390870455668", "0.10000000000000000001")}))
    with pytest.raises(InputError) as refused:
        decode_points(STANDARD, [item])
    assert refused.value.code == "points.number"


GOOD: dict[str, Any] = {
    "version": 1, "series": "se-4", "base": "2026-03-02T07:15:00Z", "index": (0, 1), "offset": (0, 1),
    "scaled": (1, 2),
}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"index": (0,)}, "points.shape"),
        ({"scaled": (1, 2, 3)}, "points.shape"),
        ({"index": (0, 3)}, "points.shape"),
        ({"index": (-1, 0)}, "points.shape"),
        ({"index": (0, 2**70)}, "points.shape"),
        ({"offset": (1, 0)}, "points.shape"),
        ({"offset": (-1, 0)}, "points.shape"),
        ({"offset": (0, 2**62)}, "points.shape"),
        ({"offset": (0, 2**53 - 1), "base": "9990-01-01T00:00:00Z"}, "points.shape"),
        ({"base": "2026-02-30T00:00:00Z"}, "time.instant"),
        ({"scaled": (1, "x")}, "points.number"),
        ({"scaled": (1, "1e5")}, "points.number"),
        ({"scaled": (1, "0.1234567890123456789")}, "points.number"),
        ({"scaled": (1, "12345678901234567890")}, "points.number"),
        ({"scaled": (10**18, 1)}, "points.number"),
        ({"scaled": (2**70, 1)}, "points.shape"),
        ({"quality": ((0, 0),)}, "points.quality"),
        ({"quality": ((0, -1),)}, "points.quality"),
        ({"raw": ((2, "x"),)}, "points.quality"),
        ({"raw": ((0, "x"), (0, "y"))}, "points.quality"),
    ],
    ids=str,
)
def test_hostile_points_are_refused(change: dict[str, Any], code: str) -> None:
    assert count(decode_points(STANDARD, [Points(**GOOD)])) == 2
    with pytest.raises(InputError) as refused:
        decode_points(STANDARD, [Points(**GOOD), Points(**(GOOD | change))])
    assert refused.value.code == code


@pytest.mark.parametrize("text", ["nan", "inf", "1e999", "1_0", " 1", "0x1", ""])
def test_what_is_no_double_is_refused(text: str) -> None:
    of = series(parameter("A", None), parameter("B", None))
    item = Points(**(GOOD | {"scaled": ("0.1", text)}))
    if not text:
        assert count(decode_points(of, [item])) == 2
        return
    with pytest.raises(InputError) as refused:
        decode_points(of, [item])
    assert refused.value.code == "points.number"


def test_texts_in_places_of_integers_do_not_pass_the_record_type() -> None:
    content = encode(Points(**GOOD)).replace(b'"index":[0,1]', b'"index":[0,1.5]')
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(content, type=Points)


@pytest.mark.parametrize(
    ("made", "code"),
    [
        ({"Z.PV": column([1])}, "points.parameter"),
        ({"A.PV": column([1], 2, {0: Mark("odd")})}, "points.quality"),
        ({"A.PV": column([1], 2, {0: Mark(raw="x" * 70_000)})}, "points.size"),
    ],
    ids=str,
)
def test_what_no_entry_can_hold_is_refused(made: dict[str, Column], code: str) -> None:
    with pytest.raises(InputError) as refused:
        encode_points(STANDARD, from_rows(np.array([0], dtype=np.int64), made))
    assert refused.value.code == code


def test_no_points_are_no_records() -> None:
    assert encode_points(STANDARD, from_rows(np.empty(0, np.int64), {})) == []
    assert count(decode_points(STANDARD, [])) == 0


def test_decimals_that_a_binary_series_rounds_are_told_with_their_texts() -> None:
    of = series(parameter("A", None), parameter("B", 2))
    long = [10**17 + 1, 7]
    at = np.array([1, 2], dtype=np.int64)
    block = from_rows(at, {"A.PV": column(long, 0), "B.PV": column(long, 0)})
    again = decode_points(of, encode_points(of, block))
    # Alone in its column the decimal is exact; beside a hundredth binary64 alone holds both.
    assert again.columns["A.PV"].numbers.tolist() == [1e17, 7.0]
    assert dict(again.columns["A.PV"].marks) == {0: Mark(raw="100000000000000001")}
    beside = from_rows(at, {"B.PV": column([10**17 + 1, None], 0, {1: Mark("bad")})})
    fine = from_rows(at, {"B.PV": column([None, 725], 2, {0: Mark("bad")})})
    records = [*encode_points(of, beside), *encode_points(of, fine)]
    held = decode_points(of, records).columns["B.PV"]
    assert [held.scale, *held.numbers.tolist()] == [None, 1e17, 0, 0, 7.25]
    assert [mark.raw for mark in held.marks.values() if mark.raw] == ["100000000000000001"]
