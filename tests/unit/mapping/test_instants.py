"""Columns of times: what is read at once is what is read text by text."""

import re
from datetime import datetime, timedelta
from decimal import Decimal, localcontext
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fedbatch.mapping.counted_times import COUNTED, read_counts
from fedbatch.mapping.fixed_times import NO_TIME, read_fixed
from fedbatch.mapping.instants import read_instants
from fedbatch.mapping.times import YEARS, TimeProblem, TimeReader
from fedbatch.series.instants import instant_text, micros

FORM = "%Y-%m-%d %H:%M:%S"
# Hours and half hours, a month of other clocks within the summer, a day that never was.
ZONES = ("Europe/Ljubljana", "Australia/Lord_Howe", "Africa/Casablanca", "Pacific/Apia", "UTC")
FIRST = datetime(2011, 1, 1)  # noqa: DTZ001 - local times
QUARTERS = 366 * 96


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(ZONES), st.lists(st.integers(0, QUARTERS), min_size=1, max_size=8))
@example(
    "Pacific/Apia",
    [quarter for day in (362, 363, 364) for quarter in range(day * 96, day * 96 + 96, 7)],
)
@example("Australia/Lord_Howe", list(range(92 * 96, 93 * 96)))
@example("Europe/Ljubljana", list(range(85 * 96, 86 * 96)))
def test_columns_are_read_as_each_text_alone(name: str, quarters: list[int]) -> None:
    reader = TimeReader(
        formats=(FORM,), zone=ZoneInfo(name), zone_name=name, zone_basis="configured"
    )
    texts = [(FIRST + timedelta(minutes=15 * quarter)).strftime(FORM) for quarter in quarters]
    found, problems = read_instants(pa.array(texts), reader)
    for row, text in enumerate(texts):
        alone = reader.read(text)
        if isinstance(alone, TimeProblem):
            assert problems[row] == alone
            assert found[row] == NO_TIME
        else:
            assert found[row] == micros(alone.instant)


@pytest.mark.parametrize(
    ("zone", "text"),
    [("Europe/Ljubljana", "2011-10-30 02:30:00"), ("Pacific/Apia", "2011-12-30 12:00:00")],
)
def test_a_time_that_is_twice_or_never_is_held_back(zone: str, text: str) -> None:
    reader = TimeReader(
        formats=(FORM,), zone=ZoneInfo(zone), zone_name=zone, zone_basis="configured"
    )
    found, problems = read_instants(pa.array([text, "2011-06-01 12:00:00"]), reader)
    assert list(problems) == [0]
    assert found[1] != NO_TIME


# ---- equal to the reader, whatever the texts are

FORMS = (
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%dT%H:%M:%S.%f%z",
    "%d/%m/%Y %H:%M",
    "%d-%b-%y %H:%M:%S",
    "%d.%m.%y",
    "%Y%m%dT%H%M%S",
    "%m/%d/%Y %I:%M:%S %p",
    "%b %Y",
    "%Y-%j",
    "%d %B %Y",
)
ODD = (
    "2026-02-30 06:00:00",
    "2025-02-29 06:00:00",
    "1899-12-30 00:00:00",
    "226-05-04 06:00:00",
    "2026- 5-04 06:00:00",
    "2026-05-04 06:00:60",
    "2026-05-04 24:00:00",
    "2026-05-04 06:00:00 ",
    "2026-05-04   06:00:00",
    "31/4/2026  6:00",
    "4/5/2026  6:00",
    "2026-05-04t06:00:00.5+02:00",
    "2026-05-04T06:00:00.5+24:00",
    "2026-05-04T06:00:00.1234567Z",
    "2026-05-04T06:00:00.123456789+02",
    "2026-05-04T06:00:00.1234567890Z",
    "2026-05-04T06:00:00.-5Z",
    "31/4/2026 6:00",
    "4/5/2026 6:00",
    "٤/5/2026 6:00",
    "04-MAY-26 06:00:00",
    "04-Max-26 06:00:00",
    "04-May-69 06:00:00",
    "04-May-68 06:00:00",
    "2026054T060000",
    "05/04/2026 00:00:00 am",
    "05/04/2026 12:00:00 Am",
    "05/04/2026 12:00:00 nm",
    "",
    "x",
)


def as_texts(moment: datetime, form: str, *, is_bare: bool) -> str:
    """As a source writes it; some leave leading noughts out."""
    zone = ("Z", "+02:00", "-0530", "+01")[moment.hour % 4] if "%z" in form else ""
    text = moment.strftime(form.replace("%z", ""))
    return (re.sub(r"\b0(?=\d\b)", "", text) if is_bare else text) + zone


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(FORMS),
    st.lists(st.datetimes(datetime(1890, 1, 1), datetime(2100, 1, 1)), min_size=1, max_size=6),  # noqa: DTZ001 - local times
    st.booleans(),
    st.text("0123456789-/:. TZ+", min_size=1, max_size=2),
    st.integers(0, 25),
)
def test_columns_of_any_form_and_any_fault_are_read_as_each_text_alone(
    form: str,
    moments: list[datetime],
    is_bare: bool,  # noqa: FBT001 - drawn by Hypothesis
    fault: str,
    at: int,
) -> None:
    reader = TimeReader(
        formats=(form,), zone=ZoneInfo("Europe/Zurich"), zone_name="Z", zone_basis="configured"
    )
    plain = [as_texts(moment, form, is_bare=is_bare) for moment in moments]
    texts = [*plain, *(text[:at] + fault + text[at + 1 :] for text in plain), *ODD]
    found, problems = read_instants(pa.array(texts), reader)
    quick = read_fixed(pa.array(texts), form, YEARS)
    for row, text in enumerate(texts):
        alone = reader.read(text)
        if quick is not None and quick[row] != NO_TIME:
            # Where clocks change is seen only once the zone is known.
            assert not isinstance(alone, TimeProblem) or alone.rule == "time.ambiguous", text
        told = problems.get(row) or instant_text(int(found[row]))
        assert told == (alone if isinstance(alone, TimeProblem) else alone.instant), text


@pytest.mark.parametrize("form", FORMS[:8])
@pytest.mark.parametrize("is_bare", [False, True])
def test_whole_columns_of_usual_forms_are_read_at_once(form: str, *, is_bare: bool) -> None:
    texts = [
        as_texts(FIRST + timedelta(hours=7 * row), form, is_bare=is_bare and "T%H%M" not in form)
        for row in range(400)
    ]
    quick = read_fixed(pa.array(texts), form, YEARS)
    assert quick is not None
    assert NO_TIME not in quick
    odd = read_fixed(pa.array([f"x{text[1:]}" for text in texts]), form, YEARS)
    assert odd is not None
    assert {*odd.tolist()} == {NO_TIME}


@pytest.mark.parametrize("form", ["%Y-%j", "%d %B %Y", "%H:%M", "%Y %Y", "%Y – %m", "%Y%%"])
def test_what_has_no_fixed_place_is_not_read_at_once(form: str) -> None:
    assert read_fixed(pa.array(["2026-061"]), form, YEARS) is None


def test_among_a_thousand_times_a_day_that_no_month_has_is_held_back() -> None:
    reader = TimeReader(formats=(FORM,), zone=ZoneInfo("UTC"), zone_name="UTC", zone_basis="stated")
    texts = [(FIRST + timedelta(minutes=row)).strftime(FORM) for row in range(1000)]
    odd = {101: "2026-02-30 06:00:00", 502: "1899-12-30 00:00:00", 903: "226-05-04 06:00:00"}
    for row, text in odd.items():
        texts[row] = text
    found, problems = read_instants(pa.array(texts), reader)
    assert {row: item.rule for row, item in problems.items()} == dict.fromkeys(odd, "time.format")
    assert [row for row in range(1000) if found[row] == NO_TIME] == [*odd]


def test_two_formats_are_read_where_they_agree_and_held_back_where_they_do_not() -> None:
    forms = ("%d/%m/%Y", "%m/%d/%Y")
    reader = TimeReader(formats=forms, zone=ZoneInfo("UTC"), zone_name="UTC", zone_basis="stated")
    texts = ["25/12/2025", "12/25/2025", "03/03/2025", "03/04/2025", "x"]
    found, problems = read_instants(pa.array(texts), reader)
    assert found[0] == found[1] != NO_TIME
    assert found[2] != NO_TIME
    assert {row: item.rule for row, item in problems.items()} == {
        3: "time.ambiguous",
        4: "time.format",
    }


@pytest.mark.parametrize("form", ["%Y-%m-%d %T", "%Y-%m-%d %H:%M:%S"])
def test_a_time_of_day_in_one_directive_is_read(form: str) -> None:
    reader = TimeReader(formats=(form,), zone=ZoneInfo("UTC"), zone_name="UTC", zone_basis="stated")
    found, problems = read_instants(pa.array(["2026-05-04 06:00:00"]), reader)
    assert not problems
    assert instant_text(int(found[0])) == "2026-05-04T06:00:00Z"
    assert not isinstance(reader.read("2026-05-04 06:00:00"), TimeProblem)


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from([*COUNTED]),
    st.lists(st.decimals(0, 60_000, places=11), min_size=1, max_size=8),
    st.integers(0, 11),
)
def test_columns_of_counts_are_read_as_each_text_alone(
    form: str, days: list[Decimal], places: int
) -> None:
    reader = TimeReader(
        formats=(form,), zone=ZoneInfo("Europe/Zurich"), zone_name="Z", zone_basis="configured"
    )
    counting = COUNTED[form]
    one = 86_400_000_000_000 // counting.ns
    # Days of nanoseconds with eleven decimals have more digits than decimals usually get.
    with localcontext(prec=60):
        texts = [f"{round(day * one, places):f}" for day in days]
    texts += [f"{day * one:.0f}" for day in days]
    texts += ["", "x", "5", "46083,25", "1e5", " 46083 ", "9" * 19, "46083.1234567890123456"]
    found, problems = read_instants(pa.array(texts), reader)
    for row, text in enumerate(texts):
        alone = reader.read(text)
        told = problems.get(row) or instant_text(int(found[row]))
        assert told == (alone if isinstance(alone, TimeProblem) else alone.instant), text


@pytest.mark.parametrize(
    ("form", "text"),
    [("unix_s", "1772439330.25"), ("unix_ms", "1772439330250"), ("serial_1900", "46083.34409722")],
)
def test_whole_columns_of_counts_are_read_at_once(form: str, text: str) -> None:
    assert NO_TIME not in read_counts(pa.array([text] * 50), form, YEARS)
    assert {*read_counts(pa.array([f"{text}x", "0.5e3"]), form, YEARS).tolist()} == {NO_TIME}


PARTED = "%Y-%m-%d %H:%M:%S.%f"
ODD_PARTS = (
    "2011-06-01 12:00:00",
    "2011-06-01 12:00:00.1",
    "2011-06-01 12:00:00.123456",
    "2011-06-01 12:00:00.1234567",
    "2011-06-01T12:00:00.5",
    "2011-06-01 12:00:00.5Z",
    "2011-06-01 12:00:00.500+0200",
    "2011-06-01 12:00:00.5+02:00",
    "2011-06-31 12:00:00.5",
    "2011-06-01 24:00:00.5",
    "1899-12-30 00:00:00.000000",
    "1901-06-01 00:00:00.5",
    "9999-12-31 00:00:00.000000",
    "2011-10-30 02:30:00.5",
    " 2011-06-01 12:00:00.25 ",
    "",
    "x",
)


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from([PARTED, PARTED + "%z", PARTED.replace(" ", "T"), FORM]),
    st.lists(st.sampled_from(ODD_PARTS), min_size=1, max_size=6),
)
@example(PARTED, list(ODD_PARTS))
@example(PARTED, ["2011-06-01 12:00:00.5"] * 40 + ["1899-12-30 00:00:00.000000"])
@example(FORM, ["2011-06-01 12:00:00"] * 40 + ["1899-12-30 00:00:00"])
@example(PARTED + "%z", ["2011-06-01 12:00:00.5Z", "2011-10-30 02:30:00.5Z"])
def test_parts_of_seconds_are_read_as_each_text_alone(form: str, texts: list[str]) -> None:
    name = "Europe/Ljubljana"
    reader = TimeReader(formats=(form,), zone=ZoneInfo(name), zone_name=name, zone_basis="stated")
    found, problems = read_instants(pa.array(texts), reader)
    for row, text in enumerate(texts):
        alone = reader.read(text)
        if isinstance(alone, TimeProblem):
            assert (problems[row], found[row]) == (alone, NO_TIME)
        else:
            assert found[row] == micros(alone.instant)
