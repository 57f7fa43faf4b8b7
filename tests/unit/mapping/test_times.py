"""Texts to times: under declared formats alone; what is in doubt is held back, never guessed."""

from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fedbatch.mapping.times import TimeProblem, TimeReader, check_format, render_instant
from fedbatch.standard.values import Time

LJUBLJANA = ZoneInfo("Europe/Ljubljana")
NEW_YORK = ZoneInfo("America/New_York")
SLOVENE = ("jan", "feb", "mar", "apr", "maj", "jun", "jul", "avg", "sep", "okt", "nov", "dec")
EARLIEST, LATEST = datetime(1970, 1, 1), datetime(2060, 1, 1)  # noqa: DTZ001 - local times
FULL = "%Y-%m-%d %H:%M:%S"


def reader(*formats: str, zone: tzinfo = LJUBLJANA, name: str = "", **fields: Any) -> TimeReader:
    return TimeReader(
        formats=formats,
        zone=zone,
        zone_name=name or str(zone),
        zone_basis="configured",
        **fields,
    )


def read(text: str, *formats: str, **fields: Any) -> Time:
    found = reader(*formats, **fields).read(text)
    assert isinstance(found, Time), found
    return found


def problem(text: str, *formats: str, **fields: Any) -> TimeProblem:
    found = reader(*formats, **fields).read(text)
    assert isinstance(found, TimeProblem), found
    return found


@pytest.mark.parametrize(
    ("text", "form", "instant", "precision"),
    [
        ("2026-03-02 08:15:30", FULL, "2026-03-02T07:15:30Z", "second"),
        ("2026-07-02 08:15:30", FULL, "2026-07-02T06:15:30Z", "second"),
        ("02.03.2026 08:15", "%d.%m.%Y %H:%M", "2026-03-02T07:15:00Z", "minute"),
        ("03/02/2026", "%m/%d/%Y", "2026-03-01T23:00:00Z", "day"),
        ("03/02/26", "%m/%d/%y", "2026-03-01T23:00:00Z", "day"),
        ("2-Mar-2026", "%d-%b-%Y", "2026-03-01T23:00:00Z", "day"),
        ("2 March 2026", "%d %B %Y", "2026-03-01T23:00:00Z", "day"),
        ("2026-061", "%Y-%j", "2026-03-01T23:00:00Z", "day"),
        ("Mar 2026", "%b %Y", "2026-02-28T23:00:00Z", "month"),
        ("2026", "%Y", "2025-12-31T23:00:00Z", "year"),
        ("2026-03-02 8 PM", "%Y-%m-%d %I %p", "2026-03-02T19:00:00Z", "hour"),
        (
            "2026-03-02 08:15:30.25",
            "%Y-%m-%d %H:%M:%S.%f",
            "2026-03-02T07:15:30.25Z",
            "microsecond",
        ),
    ],
)
def test_a_time_of_a_declared_format_is_read(
    text: str, form: str, instant: str, precision: str
) -> None:
    found = read(text, form)
    assert (found.instant, found.precision, found.text) == (instant, precision, text)
    assert (found.zone, found.zone_basis) == ("Europe/Ljubljana", "configured")


def test_the_text_is_kept_with_its_blanks() -> None:
    assert read(" 2026-03-02 08:15:30 ", FULL).text == " 2026-03-02 08:15:30 "


@pytest.mark.parametrize(("text", "zone", "instant"), [
    ("2026-03-02T08:15:00+02:00", "+02:00", "2026-03-02T06:15:00Z"),
    ("2026-03-02T08:15:00-0500", "-05:00", "2026-03-02T13:15:00Z"),
    ("2026-03-02T08:15:00Z", "+00:00", "2026-03-02T08:15:00Z"),
    ("2026-03-02T08:15:00+02", "+02:00", "2026-03-02T06:15:00Z"),
])  # fmt: skip
def test_a_stated_offset_is_the_zone(text: str, zone: str, instant: str) -> None:
    found = read(text, "%Y-%m-%dT%H:%M:%S%z")
    assert (found.zone, found.zone_basis, found.instant) == (zone, "stated", instant)


@pytest.mark.parametrize(
    ("text", "form", "instant"),
    [
        ("2026-03-02T08:15:30.123456789Z", "%Y-%m-%dT%H:%M:%S.%f%z", "2026-03-02T08:15:30.123456Z"),
        ("2026-03-02 08:15:30,1239999", "%Y-%m-%d %H:%M:%S,%f", "2026-03-02T07:15:30.123999Z"),
        ("02.03.2026 08:15:30.5", "%d.%m.%Y %H:%M:%S.%f", "2026-03-02T07:15:30.5Z"),
    ],
)
def test_seconds_may_have_nine_decimals_of_which_an_instant_has_six(
    text: str, form: str, instant: str
) -> None:
    found = read(text, form)
    assert (found.instant, found.text, found.precision) == (instant, text, "microsecond")
    assert problem(f"{text}0123456789", form).rule == "time.format"


@pytest.mark.parametrize(
    ("text", "form", "instant", "zone", "precision"),
    [
        ("1772439330", "unix_s", "2026-03-02T08:15:30Z", "+00:00", "second"),
        ("1772439330.25", "unix_s", "2026-03-02T08:15:30.25Z", "+00:00", "microsecond"),
        ("1772439330250", "unix_ms", "2026-03-02T08:15:30.25Z", "+00:00", "millisecond"),
        ("1772439330250001", "unix_us", "2026-03-02T08:15:30.250001Z", "+00:00", "microsecond"),
        ("1772439330250001999", "unix_ns", "2026-03-02T08:15:30.250001Z", "+00:00", "microsecond"),
        ("46083.34409722222", "serial_1900", "2026-03-02T07:15:30Z", "Europe/Ljubljana", "millisecond"),
        ("46083,5", "serial_1900", "2026-03-02T11:00:00Z", "Europe/Ljubljana", "millisecond"),
        ("44621.5", "serial_1904", "2026-03-02T11:00:00Z", "Europe/Ljubljana", "millisecond"),
    ],
)  # fmt: skip
def test_a_count_of_a_declared_kind_is_a_time(
    text: str, form: str, instant: str, zone: str, precision: str
) -> None:
    found = read(text, form)
    assert (found.instant, found.zone, found.precision) == (instant, zone, precision)
    assert (found.text, check_format(form)) == (text, None)


@pytest.mark.parametrize("form", ["unix_s", "unix_ms", "serial_1900"])
@pytest.mark.parametrize("text", ["", "-5", "1e9", "1.772.439", "0x10", "soon", "9" * 19, "0"])
def test_what_is_no_count_of_a_year_that_is_meant_is_no_time(form: str, text: str) -> None:
    if (form, text) in {("unix_s", "0"), ("unix_ms", "0")}:
        assert read(text, form).instant == "1970-01-01T00:00:00Z"
    else:
        assert problem(text, form).rule == "time.format"


def test_the_sources_own_month_names_are_read() -> None:
    found = read("maj.19", "%b.%y", month_names=SLOVENE)
    assert (found.instant, found.precision, found.text) == (
        "2019-04-30T22:00:00Z",
        "month",
        "maj.19",
    )
    assert read("avg.19", "%B.%y", month_names=SLOVENE).instant == "2019-07-31T22:00:00Z"
    assert problem("maj.19", "%b.%y").rule == "time.format"
    assert problem("xyz.19", "%b.%y", month_names=SLOVENE).rule == "time.format"


# ---- where the clocks change


@pytest.mark.parametrize(
    ("zone", "skipped", "twice"),
    [
        (LJUBLJANA, "2026-03-29 02:30:00", "2026-10-25 02:30:00"),
        (NEW_YORK, "2026-03-08 02:30:00", "2026-11-01 01:30:00"),
    ],
    ids=str,
)
def test_a_local_time_that_never_or_twice_happens_is_held_back(
    zone: tzinfo, skipped: str, twice: str
) -> None:
    never, both = problem(skipped, FULL, zone=zone), problem(twice, FULL, zone=zone)
    assert never.rule == both.rule == "time.ambiguous"
    assert "skip" in never.expected
    assert "twice" in both.expected


@pytest.mark.parametrize(
    ("zone", "text"),
    [
        (LJUBLJANA, "2026-03-29 01:59:59"),
        (LJUBLJANA, "2026-03-29 03:00:00"),
        (LJUBLJANA, "2026-10-25 01:59:59"),
        (LJUBLJANA, "2026-10-25 03:00:00"),
        (NEW_YORK, "2026-03-08 01:59:59"),
        (NEW_YORK, "2026-03-08 03:00:00"),
        (NEW_YORK, "2026-11-01 00:59:59"),
        (NEW_YORK, "2026-11-01 02:00:00"),
    ],
    ids=str,
)
def test_beside_the_change_times_are_plain(zone: tzinfo, text: str) -> None:
    assert read(text, FULL, zone=zone).precision == "second"


@pytest.mark.parametrize("text", ["2026-03-29", "2026-10-25"])
def test_the_day_of_a_change_is_a_day(text: str) -> None:
    assert read(text, "%Y-%m-%d").precision == "day"


def test_a_stated_offset_decides_a_time_that_happens_twice() -> None:
    form = "%Y-%m-%d %H:%M:%S%z"
    first = read("2026-10-25 02:30:00+0200", form)
    second = read("2026-10-25 02:30:00+0100", form)
    assert (first.instant, second.instant) == ("2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z")


def test_times_in_utc_are_never_in_doubt() -> None:
    assert read("2026-03-29 02:30:00", FULL, zone=UTC).instant == "2026-03-29T02:30:00Z"


@settings(max_examples=200)
@given(st.datetimes(EARLIEST, LATEST), st.sampled_from([LJUBLJANA, NEW_YORK]))
def test_a_time_that_is_read_is_that_local_time(moment: datetime, zone: ZoneInfo) -> None:
    moment = moment.replace(microsecond=0)
    found = reader(FULL, zone=zone).read(moment.strftime(FULL))
    offsets = {moment.replace(tzinfo=zone, fold=fold).utcoffset() for fold in (0, 1)}
    assert isinstance(found, Time) == (len(offsets) == 1)
    if isinstance(found, Time):
        back = datetime.fromisoformat(found.instant).astimezone(zone)
        assert back.replace(tzinfo=None) == moment


# ---- doubt


def test_day_and_month_that_may_be_exchanged_are_held_back() -> None:
    formats = ("%m-%d-%Y", "%d-%m-%Y")
    found = problem("3-2-2026", *formats)
    assert found.rule == "time.ambiguous"
    assert "%m-%d-%Y and %d-%m-%Y" in found.expected


def test_what_only_one_format_can_read_is_read() -> None:
    formats = ("%m-%d-%Y", "%d-%m-%Y")
    assert read("6-24-2022", *formats).instant == read("24-6-2022", *formats).instant
    assert read("3-3-2026", *formats).precision == "day"


def test_the_columns_own_format_stands_alone() -> None:
    found = reader("%m-%d-%Y", "%d-%m-%Y").read("3-2-2026", "%d-%m-%Y")
    assert isinstance(found, Time)
    assert found.instant == "2026-02-02T23:00:00Z"
    assert isinstance(reader("%m-%d-%Y").read("24-6-2022"), TimeProblem)


@pytest.mark.parametrize(
    "text",
    ["", "soon", "2026-02-30 08:00:00", "2026-03-02", "2026-03-02 25:00:00", "8h20", "46083.5"],
)
def test_another_text_is_no_time(text: str) -> None:
    assert problem(text, FULL).rule == "time.format"


@pytest.mark.parametrize(
    "text",
    ["1899-12-30 00:00:00", "1899-12-31 00:00:00", "1900-01-01 00:00:00", "0001-01-01 00:00:00",
     "9999-12-31 23:59:59"],
)  # fmt: skip
@pytest.mark.parametrize("zone", [LJUBLJANA, NEW_YORK, UTC], ids=str)
def test_a_day_zero_is_never_a_date(text: str, zone: tzinfo) -> None:
    found = problem(text, FULL, zone=zone)
    assert found.rule == "time.format"
    assert "stands for none" in found.expected


def test_without_a_format_nothing_is_read() -> None:
    assert "format in the mapping" in problem("2026-03-02").expected


def test_a_declared_clock_error_is_kept_and_never_applied() -> None:
    plain = read("2026-03-02 08:15:30", FULL)
    fast = read("2026-03-02 08:15:30", FULL, clock_offset="90")
    assert fast.clock_offset == "90"
    assert fast.instant == plain.instant


@pytest.mark.parametrize(
    ("form", "wrong"),
    [
        (FULL, None),
        ("%d.%m.%y", None),
        ("%Y-%j", None),
        ("%b.%y", None),
        ("%Y", None),
        ("%Y-%m-%d %I:%M %p", None),
        ("%Y-%m-%d%%", None),
        ("%d.%m.", "no year"),
        ("%H:%M", "no year"),
        ("%d.%Y", "no month"),
        ("%Y %H:%M", "no day"),
        ("%Y-%m %H", "no day"),
        ("%Y-%m-%d %I:%M", "no %p"),
        ("%Y-%W", "no directive"),
        ("%c", "no directive"),
        ("unix", "no year"),
        ("serial_1905", "no year"),
    ],
)
def test_a_format_that_would_make_a_reader_guess_is_refused(form: str, wrong: str | None) -> None:
    found = check_format(form)
    assert (found is None) if wrong is None else (found is not None and wrong in found)


@settings(max_examples=100)
@given(st.datetimes(EARLIEST, LATEST), st.integers(-14, 14))
def test_an_instant_is_utc_and_reads_back(moment: datetime, hours: int) -> None:
    aware = moment.replace(tzinfo=UTC).astimezone(UTC) + timedelta(hours=hours)
    text = render_instant(aware)
    assert text.endswith("Z")
    assert not text.endswith("0Z") or "." not in text
    assert datetime.fromisoformat(text) == aware
