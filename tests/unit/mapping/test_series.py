"""Series of tables: rows that gave no point are counted once, marks and formats are heeded."""

from typing import Any, Literal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fedbatch.mapping.series import extract_series
from fedbatch.series.instants import instant_text
from fedbatch.services.mappings import check_mapping
from fedbatch.standard.mappings import Constant, Mapping, MappingRule, SeriesTarget
from tests.unit.mapping.making import DICTIONARY, FILE, GROUND, UNITS, column, table

TIMES = ("2026-02-01 06:00:00", "2026-02-01 06:00:10", "nonsense", "2026-03-29 02:30:00", "")
TARGET = SeriesTarget(model="raw", interval="PT10S")
PLACING = (
    MappingRule(header="Time", field="observed_at"),
    MappingRule(header="Batch", field="batch"),
)
FORMATS = ("%Y-%m-%d %H:%M:%S",)


def mapping(*rules: MappingRule, shape: str) -> Mapping:
    return Mapping(
        version=1,
        source="s",
        shape="long" if shape == "long" else "wide",
        decimal_mark=".",
        zone="Europe/Ljubljana",
        zone_basis="stated",
        time_formats=FORMATS,
        rules=(*PLACING, *rules),
    )


WIDE = mapping(
    MappingRule(header="Speed", term="press.speed", role="PV", unit="10*3/h", series=TARGET),
    shape="wide",
)
LONG = mapping(
    MappingRule(header="Tag", field="tag"),
    MappingRule(header="Value", field="value"),
    MappingRule(tag="SPEED", term="press.speed", role="PV", unit="10*3/h", series=TARGET),
    MappingRule(tag="NOISE", ignored="nobody needs it"),
    shape="long",
)


@pytest.mark.parametrize(
    ("form", "text", "precision"),
    [
        ("%Y-%m-%d %H:%M:%S", "2026-02-01 06:00:00", "second"),
        ("%Y-%m-%dT%H:%M:%S.%f%z", "2026-02-01T06:00:00.5Z", "microsecond"),
        ("unix_ms", "1769925600500", "microsecond"),
        ("unix_s", "1769925600", "second"),
    ],
)
def test_a_series_clock_is_as_fine_as_the_format_of_its_column_of_times(
    form: str, text: str, precision: str
) -> None:
    own = MappingRule(header="Time", field="observed_at", time_format=form)
    rules = tuple(own if rule.header == "Time" else rule for rule in WIDE.rules)
    told = msgspec.structs.replace(WIDE, rules=rules)
    source = table(column("Time", text), column("Batch", "B1"), column("Speed", "1.5"))
    (draft,) = extract_series(source, FILE, told, GROUND).drafts
    assert draft.series.clock is not None
    assert draft.series.clock.precision == precision
    assert extract_series(source, FILE, told, GROUND).rows_held_back == 0


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(TIMES),
            st.sampled_from(["B1", "B2", ""]),
            st.sampled_from(["SPEED", "NOISE", "OTHER"]),
        ),
        min_size=1,
        max_size=20,
    )
)
def test_a_row_counts_once_where_it_has_no_time_or_no_batch_or_an_unknown_tag(
    rows: list[tuple[str, str, str]],
) -> None:
    placing = (
        column("Time", *(time for time, _, _ in rows)),
        column("Batch", *(batch for _, batch, _ in rows)),
    )
    values = ["1.5" for _ in rows]
    bad = [not batch or time not in TIMES[:2] for time, batch, _ in rows]

    wide = table(*placing, column("Speed", *values))
    assert extract_series(wide, FILE, WIDE, GROUND).rows_held_back == sum(bad)

    long = table(*placing, column("Tag", *(tag for _, _, tag in rows)), column("Value", *values))
    held = [
        tag != "NOISE" and (is_bad or tag == "OTHER")
        for (_, _, tag), is_bad in zip(rows, bad, strict=True)
    ]
    assert extract_series(long, FILE, LONG, GROUND).rows_held_back == sum(held)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"Batch": "batch"}, "a batch number"),
        ({"Unit": "equipment"}, "equipment"),
        ({"Batch": "batch", "Unit": "equipment"}, "a batch number, or equipment"),
    ],
)
def test_points_of_nobody_are_said_to_lack_what_their_mapping_reads(
    fields: dict[str, str], expected: str
) -> None:
    owners = tuple(MappingRule(header=header, field=field) for header, field in fields.items())
    told = msgspec.structs.replace(WIDE, rules=(PLACING[0], *owners, WIDE.rules[-1]))
    source = table(
        column("Time", TIMES[0]), *(column(header, "") for header in fields), column("Speed", "1")
    )
    found = extract_series(source, FILE, told, GROUND)
    assert [item.expected for item in found.rest.findings] == [expected]


# ---- marks and formats


@pytest.mark.parametrize("grouping", [",", ""])
def test_a_grouping_mark_is_read_in_wide_and_long_tables(grouping: Literal["", ","]) -> None:
    """Where the mapping states none, such texts are points without number: the control."""
    placing = (column("Time", TIMES[0]), column("Batch", "B1"))
    wide = table(*placing, column("Speed", "1,234.5"))
    long = table(*placing, column("Tag", "SPEED"), column("Value", "1,234.5"))
    for source, base in ((wide, WIDE), (long, LONG)):
        under = msgspec.structs.replace(base, grouping_mark=grouping)
        found = extract_series(source, FILE, under, GROUND)
        (held,) = found.drafts[0].block.columns.values()
        assert [item.rule for item in found.rest.findings] == ([] if grouping else ["series.text"])
        if grouping:
            assert (held.numbers.tolist(), held.scale, dict(held.marks)) == ([12345], 1, {})
        else:
            assert held.marks[0].raw == "1,234.5"


ELAPSED = (
    MappingRule(header="Batch", field="batch"),
    MappingRule(header="Minutes", field="elapsed", unit="min"),
    MappingRule(header="Speed", term="press.speed", role="PV", unit="10*3/h", series=TARGET),
)


def elapsed(*rules: MappingRule, **changed: Any) -> Mapping:
    return msgspec.structs.replace(WIDE, rules=(*ELAPSED, *rules), **changed)


def test_the_origin_of_elapsed_times_has_its_own_format() -> None:
    source = table(
        column("Batch", "B1"),
        column("Minutes", "1,000.5"),
        column("Speed", "1.5"),
        column("Origin", "01/02/2026 06:00"),
    )
    origin = MappingRule(header="Origin", field="elapsed.from", time_format="%d/%m/%Y %H:%M")
    under = elapsed(origin, zone="UTC", grouping_mark=",")
    (draft,) = extract_series(source, FILE, under, GROUND).drafts
    # 06:00 of the first of February in GROUND's zone, an hour ahead of UTC.
    assert instant_text(int(draft.block.times[0])) == "2026-02-01T21:40:30Z"
    other = elapsed(msgspec.structs.replace(origin, time_format=None), grouping_mark=",")
    found = extract_series(source, FILE, other, GROUND)
    assert not found.drafts
    assert [item.rule for item in found.rest.findings] == ["time.format"]


def test_an_origin_without_a_format_cannot_be_confirmed() -> None:
    rule = MappingRule(header="Origin", field="elapsed.from")
    constant = Constant(field="elapsed.from", text="2026-02-01")
    wanting = (
        elapsed(rule, time_formats=()),
        elapsed(time_formats=(), constants=(constant,)),
    )
    for mapping_ in wanting:
        assert any(
            "a time without a time format" in text
            for text in check_mapping(mapping_, UNITS, DICTIONARY)
        )
    stated = (
        elapsed(msgspec.structs.replace(rule, time_format="%Y-%m-%d"), time_formats=()),
        elapsed(constants=(constant,)),
    )
    for mapping_ in stated:
        assert check_mapping(mapping_, UNITS, DICTIONARY) == []
