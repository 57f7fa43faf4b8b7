"""Columns of times: what is read at once is what is read text by text."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from typing_extensions import override

from fedbatch.mapping.instants import NO_TIME, read_instants
from fedbatch.mapping.times import TimeProblem, TimeReader
from fedbatch.series.instants import micros
from fedbatch.standard.values import Time

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


PARTED = "%Y-%m-%d %H:%M:%S.%f"
ODD = (
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
    st.lists(st.sampled_from(ODD), min_size=1, max_size=6),
)
@example(PARTED, list(ODD))
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


def test_parts_of_seconds_are_read_at_once() -> None:
    """The control: what the test before compares is not the reader with itself."""
    asked: list[str] = []

    class Asking(TimeReader):
        @override
        def read(self, text: str, form: str | None = None) -> Time | TimeProblem:
            asked.append(text)
            return super().read(text, form)

    reader = Asking(formats=(PARTED,), zone=ZoneInfo("UTC"), zone_name="UTC", zone_basis="stated")
    texts = [f"2011-06-01 12:00:00.{part:06d}" for part in range(2_000)]
    found, _ = read_instants(pa.array(texts), reader)
    assert np.unique(found).size == len(texts)
    assert len(asked) < 20


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
