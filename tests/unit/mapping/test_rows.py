"""The fields of a row: what columns and constants say."""

from fedbatch.mapping.matching import assign_rules
from fedbatch.mapping.rows import RowTexts, read_rows
from fedbatch.mapping.times import TimeReader
from fedbatch.standard.mappings import Mapping
from fedbatch.standard.values import Time
from tests.unit.mapping.making import GROUND, assay, grid, mapping, rule

SOURCE = grid("batch|drawn|Assay", "B1| 2026-03-02 |99", "| |98", "B3|soon|97")
TIMES = TimeReader(
    formats=("%d.%m.%Y",), zone=GROUND.zone, zone_name="Europe/Ljubljana", zone_basis="configured"
)


def rows(under: Mapping) -> RowTexts:
    return read_rows(SOURCE, assign_rules(SOURCE, under), under)


UNDER = mapping(
    rule("batch", field="batch"),
    rule("drawn", field="observed_at", time_format="%Y-%m-%d"),
    assay(),
    constants={"site": "plant 1"},
)


def test_a_field_is_its_columns_text_trimmed_or_none() -> None:
    found = rows(UNDER)
    assert [found.text("batch", row) for row in range(3)] == ["B1", None, "B3"]
    assert list(found.texts("drawn")) == ["", "", ""]  # a header is no field
    assert found.texts("observed_at")[0] == " 2026-03-02 "


def test_a_constant_stands_in_every_row() -> None:
    found = rows(UNDER)
    assert list(found.texts("site")) == ["plant 1"] * 3
    assert found.column("site") is None


def test_a_field_that_nothing_feeds_is_blank() -> None:
    found = rows(UNDER)
    assert found.text("step", 0) is None
    assert found.time_or_none("analysed", 0, TIMES) is None


def test_a_time_is_read_under_its_columns_own_format() -> None:
    found = rows(UNDER)
    first = found.time_or_none("observed_at", 0, TIMES)
    assert isinstance(first, Time)
    assert first.text == "2026-03-02"
    assert found.time_or_none("observed_at", 1, TIMES) is None
    assert found.time_or_none("observed_at", 2, TIMES) is None
    assert found.time("observed_at", "2026-03-02", TIMES) is first


def test_a_row_is_bare_when_it_says_nothing_of_a_result_but_batch_and_value() -> None:
    assert not rows(UNDER).is_bare
    bare = mapping(rule("batch", field="batch"), rule("drawn", ignored="x"), assay())
    assert rows(bare).is_bare
    constant = mapping(
        rule("batch", field="batch"), rule("drawn", ignored="x"), assay(), constants={"method": "M"}
    )
    assert not rows(constant).is_bare
