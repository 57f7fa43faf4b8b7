"""Columns of times: what is read at once is what is read text by text."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fedbatch.mapping.instants import NO_TIME, read_instants
from fedbatch.mapping.times import TimeProblem, TimeReader
from fedbatch.series.instants import micros

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
