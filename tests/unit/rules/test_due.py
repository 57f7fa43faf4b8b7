from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fedbatch.errors import InputError
from fedbatch.rules.due import (
    Duration,
    add_duration,
    day_end,
    find_calendar,
    last_moment,
    parse_duration,
)
from fedbatch.standard.agreements import Calendar
from fedbatch.standard.values import Precision
from tests.unit.rules.making import at, zones

WEEK = ("Mon", "Tue", "Wed", "Thu", "Fri")
OFFICE = Calendar(
    calendar="office", zone="Europe/Paris", working_days=WEEK, holidays=("2026-04-06",)
)


def added(start: str, duration: str, calendar: Calendar | None = OFFICE) -> str:
    time = add_duration(datetime.fromisoformat(start), parse_duration(duration), calendar, zones)
    assert time.tzinfo is UTC
    return time.isoformat()


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("P2D", Duration(0, 2, 0)),
        ("PT36H", Duration(0, 0, 129_600)),
        ("P1W", Duration(1, 0, 0)),
        ("P1W2DT3H4M5S", Duration(1, 2, 11_045)),
        ("PT0S", Duration(0, 0, 0)),
        ("P5217W", Duration(5217, 0, 0)),
        ("P36525D", Duration(0, 36_525, 0)),
    ],
)
def test_durations_are_read(text: str, duration: Duration) -> None:
    assert parse_duration(text) == duration


@pytest.mark.parametrize(
    "text",
    ["", "P", "PT", "P1DT", "1D", "P1Y", "P1M", "PT1.5H", "P-1D", "p1d", "P1D ", "P٣D", "P36526D",
     "P5218W", "PT876601H", "P36525DT24H"],
)  # fmt: skip
def test_other_durations_are_refused(text: str) -> None:
    with pytest.raises(InputError) as refusal:
        parse_duration(text)
    assert (refusal.value.code, refusal.value.found) == ("duration", text)


@pytest.mark.parametrize(
    ("start", "duration", "end"),
    [
        ("2026-03-27T18:00:00Z", "P2D", "2026-03-29T18:00:00+00:00"),
        ("2026-03-27T18:00:00Z", "P1WT1H", "2026-04-03T19:00:00+00:00"),
        ("2026-03-27T18:00:00+02:00", "PT1S", "2026-03-27T16:00:01+00:00"),
    ],
)
def test_elapsed_durations_run_on_the_clock(start: str, duration: str, end: str) -> None:
    assert added(start, duration, None) == end


@pytest.mark.parametrize(
    ("start", "duration", "end"),
    [
        # Friday; Sunday brings summer time: 18:00 on the wall is 17:00 UTC before, 16:00 after.
        ("2026-03-27T17:00:00Z", "P1D", "2026-03-30T16:00:00+00:00"),
        ("2026-03-25T17:00:00Z", "P2D", "2026-03-27T17:00:00+00:00"),
        # Saturday: the first working day after it is Monday.
        ("2026-03-28T17:00:00Z", "P1D", "2026-03-30T16:00:00+00:00"),
        # Thursday before a Monday off.
        ("2026-04-02T10:00:00Z", "P2D", "2026-04-07T10:00:00+00:00"),
        # A week that ends on the Monday off.
        ("2026-03-30T10:00:00Z", "P1W", "2026-04-07T10:00:00+00:00"),
        ("2026-03-28T10:00:00Z", "PT0S", "2026-03-28T10:00:00+00:00"),
        # Friday 18:00, 12 hours: six on Friday, six on Monday.
        ("2026-03-27T17:00:00Z", "PT12H", "2026-03-30T04:00:00+00:00"),
        ("2026-03-27T17:00:00Z", "PT6H", "2026-03-27T23:00:00+00:00"),
        ("2026-03-28T17:00:00Z", "PT1H", "2026-03-29T23:00:00+00:00"),
        ("2026-03-26T23:30:00Z", "P1DT1H", "2026-03-29T23:30:00+00:00"),
    ],
)
def test_calendars_count_working_days_on_the_wall_clock(
    start: str, duration: str, end: str
) -> None:
    assert added(start, duration) == end


@settings(max_examples=60)
@given(
    st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 31)),  # noqa: DTZ001 - made aware below
    st.integers(0, 20),
    st.integers(0, 100),
)
def test_without_a_day_off_a_calendar_is_the_clock(start: datetime, days: int, hours: int) -> None:
    always = Calendar(calendar="all", zone="UTC", working_days=(*WEEK, "Sat", "Sun"))
    duration = Duration(0, days, hours * 3600)
    aware = start.replace(tzinfo=UTC)
    assert add_duration(aware, duration, always, zones) == aware + timedelta(days=days, hours=hours)


def test_calendars_are_found_by_name() -> None:
    assert find_calendar([OFFICE], "office") is OFFICE
    assert find_calendar([OFFICE], "elapsed") is None


def test_unknown_calendars_and_those_without_a_working_day_are_refused() -> None:
    with pytest.raises(InputError) as unknown:
        find_calendar([OFFICE], "plant")
    assert (unknown.value.code, unknown.value.found) == ("calendar.unknown", "plant")
    idle = Calendar(calendar="idle", zone="UTC", working_days=("Montag",))
    with pytest.raises(InputError) as never:
        find_calendar([OFFICE, idle], "idle")
    assert (never.value.code, never.value.found) == ("calendar.no_day", "Montag")


@pytest.mark.parametrize(
    ("precision", "end"),
    [
        ("second", "2026-03-28T23:00:00+00:00"),
        ("minute", "2026-03-28T23:00:00+00:00"),
        ("day", "2026-03-29T22:00:00+00:00"),
        ("month", "2026-04-28T22:00:00+00:00"),
        ("year", "2027-03-28T22:00:00+00:00"),
    ],
)
def test_a_coarse_time_ends_with_its_interval_in_its_zone(precision: Precision, end: str) -> None:
    stated = at("2026-03-28T23:00:00Z", zone="Europe/Paris", precision=precision)
    assert last_moment(stated, zones).isoformat() == end


def test_the_month_after_december_is_january() -> None:
    december = at("2025-11-30T22:00:00Z", zone="+02:00", precision="month")
    assert last_moment(december, zones).isoformat() == "2025-12-31T22:00:00+00:00"


def test_a_day_ends_at_the_next_local_midnight() -> None:
    paris = zones("Europe/Paris")
    evening = datetime.fromisoformat("2026-03-28T22:30:00Z")
    assert day_end(evening, paris).isoformat() == "2026-03-28T23:00:00+00:00"
    assert day_end(evening + timedelta(hours=1), paris).isoformat() == "2026-03-29T22:00:00+00:00"
