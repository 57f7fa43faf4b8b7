"""Instants and durations as microseconds."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fedbatch.errors import InputError
from fedbatch.series.instants import EARLIEST, LATEST, duration_us, instant_text, micros
from fedbatch.standard.values import is_instant


@settings(max_examples=100)
@given(st.integers(EARLIEST, LATEST))
def test_every_microsecond_has_one_instant(time: int) -> None:
    text = instant_text(time)
    assert is_instant(text)
    assert micros(text) == time
    assert not text.endswith("0Z") or "." not in text


def test_what_is_no_instant_is_refused() -> None:
    for text in ("2026-03-02", "2026-02-30T00:00:00Z", "2026-03-02T07:15:00+01:00", ""):
        with pytest.raises(InputError):
            micros(text)
    for time in (EARLIEST - 1, LATEST + 1):
        with pytest.raises(InputError):
            instant_text(time)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("PT0.25S", 250_000), ("PT1M", 60_000_000), ("P1DT1H", 90_000_000_000), ("P1W", 7 * 86_400_000_000)],
)  # fmt: skip
def test_durations_have_one_length(text: str, expected: int) -> None:
    assert duration_us(text) == expected


@pytest.mark.parametrize("text", ["", "P", "PT", "P1M", "P1Y", "PT1.0000001S", "-PT1S", "PT1,5S"])
def test_durations_without_one_length_are_refused(text: str) -> None:
    with pytest.raises(InputError):
        duration_us(text)
