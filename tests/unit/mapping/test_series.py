"""Rows of series that gave no point: each is counted once, whatever it is held back for."""

from hypothesis import given, settings
from hypothesis import strategies as st

from fedbatch.mapping.series import extract_series
from fedbatch.standard.mappings import Mapping, MappingRule, SeriesTarget
from tests.unit.mapping.making import FILE, GROUND, column, table

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
