"""In which formats a column's texts are times: each form, and the order that the column alone shows."""

from datetime import datetime, timedelta

import pytest

from fedbatch.mapping.suggest import words_of
from fedbatch.mapping.time_forms import find_forms, is_elapsed_name, is_time_name, orders_of
from fedbatch.mapping.times import check_format

FIRST = datetime(2026, 5, 25, 6)  # noqa: DTZ001 - local times


@pytest.mark.parametrize(
    ("text", "orders"),
    [
        ("2026-05-04T06:00:00.123Z", ("%Y-%m-%dT%H:%M:%S.%f%z",)),
        ("2026-05-04 06:00:00.123+02:00", ("%Y-%m-%d %H:%M:%S.%f%z",)),
        ("2026-05-04 06:00:00 +0200", ("%Y-%m-%d %H:%M:%S %z",)),
        ("2026-05-04 06:00:00+02", ("%Y-%m-%d %H:%M:%S%z",)),
        ("2026-05-04 06:00:00,123", ("%Y-%m-%d %H:%M:%S,%f",)),
        ("2026-05-04T06:00:00.123456789", ("%Y-%m-%dT%H:%M:%S.%f",)),
        ("04-May-26 06:00:00", ("%d-%b-%y %H:%M:%S",)),
        ("04-May-26 06:00:00.000", ("%d-%b-%y %H:%M:%S.%f",)),
        ("04-May-2026 06:00", ("%d-%b-%Y %H:%M",)),
        ("4 May 2026", ("%d %b %Y",)),
        ("04MAY2026:06:00:00", ("%d%b%Y:%H:%M:%S",)),
        ("04 August 2026", ("%d %B %Y",)),
        ("Aug 4, 2026 06:00", ("%b %d, %Y %H:%M",)),
        ("25/05/26 06:00:00", ("%d/%m/%y %H:%M:%S", "%m/%d/%y %H:%M:%S")),
        ("25/05/2026 06:00:00.500", ("%d/%m/%Y %H:%M:%S.%f", "%m/%d/%Y %H:%M:%S.%f")),
        ("5/4/2026 6:00:00 PM", ("%d/%m/%Y %I:%M:%S %p", "%m/%d/%Y %I:%M:%S %p")),
        ("04.05.2026, 06:00", ("%d.%m.%Y, %H:%M",)),
        ("04.05.26 06:00", ("%d.%m.%y %H:%M",)),
        ("26-05-04 06:00", ("%d-%m-%y %H:%M", "%m-%d-%y %H:%M", "%y-%m-%d %H:%M")),
        ("20260504T060000", ("%Y%m%dT%H%M%S",)),
        ("20260504T060000Z", ("%Y%m%dT%H%M%S%z",)),
        ("20260504_0600", ("%Y%m%d_%H%M",)),
        ("2026/05/04", ("%Y/%m/%d",)),
        ("May 2026", ("%b %Y",)),
    ],
)
def test_the_form_of_a_text_tells_its_format_but_for_the_order(
    text: str, orders: tuple[str, ...]
) -> None:
    assert orders_of(text, is_named=False) == orders
    assert [check_format(form) for form in orders] == [None] * len(orders)
    assert orders_of(f"{text}!", is_named=True) == ()


@pytest.mark.parametrize(
    "text",
    ["", "soon", "8:05", "06:00:00", "1.1.26", "1:10", "3.4.5", "2026-05-04T", "46146.25", "10.20.30.40",
     "2026-05-04:06:00", "B2026-05-04", "2026-05-04 6h00", "12345678901", "May 4", "x" * 50],
)  # fmt: skip
def test_what_has_no_date_that_is_known_has_no_format(text: str) -> None:
    assert orders_of(text, is_named=True) == ()


@pytest.mark.parametrize("text", ["20260504", "01-02-03", "12/05/26", "12.05.26", "20260504060000"])
def test_what_may_be_a_number_of_a_lot_is_a_date_under_the_name_of_one_alone(text: str) -> None:
    assert orders_of(text, is_named=False) == ()
    assert orders_of(text, is_named=True) != ()


def texts(form: str, count: int = 3000, step: int = 3600) -> list[str]:
    return [(FIRST + timedelta(seconds=step * at)).strftime(form) for at in range(count)]


def test_one_day_beyond_the_twelfth_anywhere_decides_the_order() -> None:
    column = [
        f"{1 + at % 12:02}/{1 + at // 12 % 12:02}/2026 {at // 144:02}:00" for at in range(2000)
    ]
    found = find_forms(column, is_named=False)
    assert found is not None
    assert found.is_open
    assert found.formats == ("%d/%m/%Y %H:%M", "%m/%d/%Y %H:%M")
    for at, text in ((1777, "13/02/2026 05:59"), (3, "02/13/2026 05:59")):
        told = find_forms([*column[:at], text, *column[at:]], is_named=False)
        assert told is not None
        assert not told.is_open
        assert told.telling == at
        assert told.formats == ((found.formats[0] if at == 1777 else found.formats[1]),)


def test_one_slip_among_many_does_not_make_the_order_doubtful_and_two_exports_do() -> None:
    column = texts("%d/%m/%Y %H:%M:%S")
    slipped = find_forms([*column, "05/25/2026 06:00:01"], is_named=False)
    assert slipped is not None
    assert slipped.formats == ("%d/%m/%Y %H:%M:%S",)
    both = find_forms([*column[:200], *texts("%m/%d/%Y %H:%M:%S")[1:100]], is_named=False)
    assert both is not None
    assert both.is_open


def test_a_second_without_parts_among_a_thousand_with_them_is_of_the_column() -> None:
    column = texts("%Y-%m-%dT%H:%M:%S.5Z")
    column[1501] = column[1501].replace(".5Z", "Z")
    found = find_forms(column, is_named=False)
    assert found is not None
    assert {*found.formats} == {"%Y-%m-%dT%H:%M:%S.%f%z", "%Y-%m-%dT%H:%M:%S%z"}
    # A time of another form is none of the column.
    column[1501] = "25.05.2026 06:00"
    found = find_forms(column, is_named=False)
    assert found is not None
    assert found.formats == ("%Y-%m-%dT%H:%M:%S.%f%z",)


def test_texts_of_many_forms_or_of_other_texts_are_of_none() -> None:
    half = [*texts("%d.%m.%Y %H:%M", 50), *texts("%Y-%m-%dT%H:%M:%S", 50)]
    assert find_forms(half, is_named=True) is None
    assert find_forms([f"LOT-{at:05}" for at in range(100)], is_named=True) is None
    assert find_forms([f"12-ABC-{at:02}" for at in range(60)], is_named=True) is None
    assert find_forms([], is_named=True) is None


@pytest.mark.parametrize(
    ("header", "is_named"),
    [
        ("Time", True), ("Timestamp", True), ("Date", True), ("TIME STAMP", True), ("t_stamp time", True),
        ("Date/Time", True), ("Zeitstempel", True), ("Sample time", True), ("Time (UTC)", True),
        ("Expiry date", True), ("unix_ms", True), ("Hold time", False), ("Run time (h)", False),
        ("Mixing time", False), ("Timer", False), ("Update", False), ("pH", False), ("", False),
        ("Start", False),
    ],
)  # fmt: skip
def test_a_header_names_an_instant_or_a_duration(header: str, *, is_named: bool) -> None:
    assert is_time_name(words_of(header)) == is_named


@pytest.mark.parametrize(
    ("header", "unit", "is_elapsed"),
    [
        ("Time (min)", "min", True), ("Time [s]", "s", True), ("Run time (h)", "h", True),
        ("Elapsed Time (hours)", "hours", True), ("Hold time (h)", "h", False), ("Time", "", False),
        ("Time (UTC)", "UTC", False), ("Drying time (min)", "min", False), ("min", "min", False),
    ],
)  # fmt: skip
def test_a_header_names_the_time_since_a_start(header: str, unit: str, *, is_elapsed: bool) -> None:
    assert is_elapsed_name(words_of(header), unit) == is_elapsed
