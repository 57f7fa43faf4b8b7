"""Series over the wire: the press's files of zagar2022, equal at the sponsor to what stands in them."""

import csv
import io
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import numpy as np
import openpyxl
import pyarrow as pa
import pytest
from pyarrow import parquet

import fedbatch
from fedbatch.errors import InputError
from fedbatch.node.importing import load_mappings
from fedbatch.node.overview import read_batches
from fedbatch.node.series import load_series, series_block
from fedbatch.node.verifying import verify_home
from fedbatch.series.blocks import Block, column_points, count
from fedbatch.standard import records
from fedbatch.standard.agreements import Right
from tests.scenarios.making import AGREED, Link, are_equal, link, linked, records_in
from tests.scenarios.world import World

RIGHTS = (Right(record_type="series"),)
HEADERS = (
    "timestamp;campaign;batch;code;tbl_speed;fom;main_comp;tbl_fill;SREL;pre_comp;produced;waste;"
    "cyl_main;cyl_pre;stiffness;ejection"
)


def line(at: str, batch: str = "B1", *, speed: str = "100.0", force: str = "4.2") -> str:
    return f"2026-02-01 {at};1;{batch};T-1;{speed};20;{force};5.31;1.2;0.1;17;3;2.1;5;88;220"


def press_file(made: Link, *lines: str, name: str = "press.csv") -> Path:
    path = made.world.folder / "tables" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([HEADERS, *lines, ""]))
    return path


@pytest.fixture(params=[False, True], ids=["dials", "listens"])
def made(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Link]:
    with linked(tmp_path, cmo_listens=request.param, mappings=("press",), rights=RIGHTS) as one:
        yield one


def deliver(made: Link, *lines: str) -> None:
    made.cmo.take(press_file(made, *lines))
    made.cmo.share(made.agreement)
    made.settle()


def speeds(made: Link, batch: str = "B1") -> list[tuple[int, int]]:
    """Time and number of a batch's press speed at the sponsor."""
    (item,) = load_series(made.sponsor.home, batch)
    block = series_block(made.sponsor.home, item, names=["PRESS.SPEED.PV"])
    return list(
        zip(block.times.tolist(), block.columns["PRESS.SPEED.PV"].numbers.tolist(), strict=True)
    )


def test_points_of_a_file_are_read_by_the_partner_as_they_stand(made: Link) -> None:
    deliver(made, line("06:00:00"), line("06:00:10", speed="101.5"), line("06:00:20"))
    assert [number for _, number in speeds(made)] == [1000, 1015, 1000]
    (item,) = load_series(made.sponsor.home, "B1")
    assert count(series_block(made.sponsor.home, item)) == 36
    assert are_equal(made)
    for node in (made.cmo, made.sponsor):
        assert verify_home(node.home).wrong == []


def test_a_reader_gets_the_rows_of_its_codes_and_is_told_which_there_are(made: Link) -> None:
    blank = line("06:00:10", speed="").replace(";4.2;", ";4.3;")
    deliver(made, line("06:00:00"), blank, line("06:00:20"))
    with fedbatch.open(made.sponsor.home.path) as reader:
        assert reader.series("B1").num_rows == 3
        chosen = reader.series("B1", codes=("PRESS.SPEED",))
        assert chosen.column_names == ["time", "PRESS.SPEED.PV"]
        assert chosen.num_rows == 2
        with pytest.raises(InputError, match=r"PRESS\.FORCE\.MAIN"):
            reader.series("B1", codes=("NOPE",))
        for code, role in (("NOPE", "PV"), ("PRESS.SPEED", "SP")):
            with pytest.raises(InputError, match=r"PRESS\.FORCE\.MAIN\.PV"):
                reader.overlay(code, role=role)


def test_batches_of_one_number_are_read_apart_at_any_scales(tmp_path: Path) -> None:
    """Two makers may each have a B1, and tell it with other decimals, or in binary numbers."""
    world = World(tmp_path)
    sponsor = world.node("sponsor")
    speeds_told = ("100.5", "101.25", "1149.9390870455668")
    types = []
    for number, speed in enumerate(speeds_told):
        cmo = world.node(f"cmo-{number}", listens=True)
        cmo.map("press")
        made = link(world, cmo, sponsor, agreement=f"ag-{number}", rights=RIGHTS, dialer=sponsor)
        deliver(made, line("06:00:00", speed=speed))
        with fedbatch.open(sponsor.home.path) as reader:
            table = reader.series("B1", codes=("PRESS.SPEED",), agreement=f"ag-{number}")
        column = table.column("PRESS.SPEED.PV")
        types.append(column.type)
        assert [str(item) for item in column.to_pylist()] == [speed]
    assert [pa.types.is_decimal(item) for item in types] == [True, True, False]
    world.close()


def test_the_same_file_again_writes_nothing(made: Link) -> None:
    deliver(made, line("06:00:00"), line("06:00:10"))
    journal = list(made.cmo.home.journal.scan())
    report = made.cmo.take(press_file(made, line("06:00:00"), line("06:00:10")))
    assert (report.points, report.points_corrected, report.points_unchanged) == (0, 0, 24)
    assert list(made.cmo.home.journal.scan()) == journal
    assert made.cmo.share(made.agreement).posted == 0


def test_a_longer_export_adds_what_is_new_alone(made: Link) -> None:
    deliver(made, line("06:00:00"), line("06:00:10"))
    report = made.cmo.take(
        press_file(made, line("06:00:00"), line("06:00:10"), line("06:00:20", speed="7.0"))
    )
    assert (report.points, report.points_corrected, report.points_unchanged) == (12, 0, 24)
    made.cmo.share(made.agreement)
    made.settle()
    assert [number for _, number in speeds(made)] == [1000, 1000, 70]


def test_a_changed_cell_corrects_its_stretch_and_both_tellings_are_kept(made: Link) -> None:
    deliver(made, line("06:00:00"), line("06:00:10"), line("06:00:20"))
    deliver(made, line("06:00:00"), line("06:00:10", speed="55.5"), line("06:00:20"))
    assert [number for _, number in speeds(made)] == [1000, 555, 1000]
    store = made.sponsor.home.ledgers(made.agreement)
    ledger = store.ledgers()[1].ledger
    sealed = [item for item in records_in(store, ledger) if isinstance(item, records.Sealed)]
    assert [item.count for item in sealed] == [36, 12]
    assert sealed[1].correction is not None
    assert sealed[1].supersedes
    assert len(list((made.sponsor.home.agreement_folder(AGREED) / "objects").glob("??/*"))) == 2


def test_text_among_numbers_stays_a_point_with_its_text(made: Link) -> None:
    deliver(
        made, line("06:00:00"), line("06:00:10", speed="I/O Timeout"), line("06:00:20", speed="NaN")
    )
    (item,) = load_series(made.sponsor.home, "B1")
    column = series_block(made.sponsor.home, item).columns["PRESS.SPEED.PV"]
    assert {row: (mark.quality, mark.raw) for row, mark in column.marks.items()} == {
        1: ("bad", "I/O Timeout"),
        2: ("bad", "NaN"),
    }


def test_points_of_a_parquet_file_are_read_by_the_partner_too(made: Link) -> None:
    texts = [line("06:00:00"), line("06:00:10", speed="101.5"), line("06:00:20")]
    names, rows = HEADERS.split(";"), [text.split(";") for text in texts]
    whole = {"campaign", "batch", "produced", "waste"}
    columns = {
        name: [row[at] if at in {0, 3} else float(row[at]) for row in rows]
        for at, name in enumerate(names)
        if name not in whole
    } | {name: [row[names.index(name)] for row in rows] for name in whole}
    path = made.world.folder / "tables" / "press.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(pa.table({name: columns[name] for name in names}), path)
    report = made.cmo.take(path)
    assert report.points == 36
    made.cmo.share(made.agreement)
    made.settle()
    assert [number for _, number in speeds(made)] == [1000, 1015, 1000]
    again = made.cmo.take(path)
    assert (again.points, again.points_corrected) == (0, 0)
    assert are_equal(made)


def press_parquet(made: Link, **more: object) -> Path:
    """The press's log in typed columns, with a column of times that the mapping's format is not of."""
    rows = [line("06:00:00").split(";"), line("06:00:10", speed="101.5").split(";")]
    columns: dict[str, object] = dict(
        zip(HEADERS.split(";"), map(list, zip(*rows, strict=True)), strict=True)
    )
    at = [datetime.fromisoformat(row[0]) for row in rows]
    columns["timestamp"] = pa.array(at, pa.timestamp("us"))
    path = made.world.folder / "tables" / "typed.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(pa.table(columns | more), path)  # type: ignore[arg-type] # arrays and lists
    return path


def test_a_column_of_times_needs_no_format_of_the_mappings(tmp_path: Path) -> None:
    with linked(tmp_path, mappings=("press",), rights=RIGHTS) as made:
        assert made.cmo.take(press_parquet(made)).points == 24
        assert made.cmo.take(press_file(made, line("06:00:00"))).points_unchanged == 12
        texts = ["2026-02-01 06:00:00.000000", "2026-02-01 06:00:10.000000"]
        report = made.cmo.take(press_parquet(made, timestamp=texts))
        assert {item.rule for item in report.findings} >= {"time.format"}


def test_the_sign_of_a_zero_crosses_as_the_points_text(tmp_path: Path) -> None:
    with linked(tmp_path, mappings=("press",), rights=RIGHTS) as made:
        made.cmo.take(press_parquet(made, tbl_speed=[-0.0, 1149.9390870455668]))
        made.cmo.share(made.agreement)
        made.settle()
        (item,) = load_series(made.sponsor.home, "B1")
        column = series_block(made.sponsor.home, item).columns["PRESS.SPEED.PV"]
        assert column.numbers.tolist() == [0.0, 1149.9390870455668]
        assert {row: mark.raw for row, mark in column.marks.items()} == {0: "-0"}


def test_a_column_without_texts_stops_a_file_only_where_it_is_needed(tmp_path: Path) -> None:
    nested = pa.array([[1], [2]])
    with linked(tmp_path, mappings=("press",), rights=RIGHTS) as made:
        report = made.cmo.take(press_parquet(made, more=nested))
        assert report.points == 24
        assert [item.rule for item in report.findings].count("table.column_left_out") == 1
        assert made.cmo.take(press_parquet(made, campaign=nested)).points_unchanged == 24
        with pytest.raises(InputError) as refused:
            made.cmo.take(press_parquet(made, tbl_speed=nested))
        assert refused.value.code == "import.no_mapping"
        assert "tbl_speed (of list<element: int64>" in refused.value.found


def test_batches_of_another_agreement_are_in_no_segment(tmp_path: Path) -> None:
    with linked(tmp_path, mappings=("press",), rights=RIGHTS) as made:
        other = line("06:00:10", "B9", speed="777.7").replace(";T-1;", ";T-9;")
        deliver(made, line("06:00:00"), other, line("06:00:20"))
        assert [number for _, number in speeds(made)] == [1000, 1000]
        (path,) = (made.sponsor.home.agreement_folder(AGREED) / "objects").glob("??/*")
        table = parquet.read_table(io.BytesIO(path.read_bytes()))
        assert table.num_rows == 2
        with pytest.raises(InputError):
            load_series(made.sponsor.home, "B9")


@pytest.mark.parametrize(
    ("number", "batches", "rows"), [(3, 16, 53_057), (5, 3, 45_547), (6, 2, 35_609)]
)
def test_the_press_files_are_equal_at_the_sponsor(
    tmp_path: Path, real_data: Path, number: int, batches: int, rows: int
) -> None:
    path = real_data / "zagar2022" / "Process" / f"{number}.csv"
    with path.open() as lines:
        told = list(csv.DictReader(lines, delimiter=";"))
    codes = sorted({row["code"] for row in told})
    with linked(tmp_path, mappings=("press",), rights=RIGHTS, products=codes) as made:
        made.cmo.take(path)
        made.cmo.share(made.agreement)
        made.settle()
        assert len(told) == rows
        names = {
            rule.header: rule.term for rule in load_mappings(made.cmo.home)[0].rules if rule.series
        }
        seen = 0
        for batch in sorted({row["batch"] for row in told}):
            (item,) = load_series(made.sponsor.home, batch)
            block = series_block(made.sponsor.home, item)
            of_batch = [row for row in told if row["batch"] == batch]
            seen += 1
            for header, term in names.items():
                code = f"{str(term).upper()}.PV"
                points = column_points(block, code)
                texts = [row[header] for row in of_batch if row[header]]
                assert [Decimal(text) for text in texts] == [
                    Decimal(int(item)).scaleb(-int(points.scale or 0)) for item in points.numbers
                ]
        assert seen == batches
        assert are_equal(made)


def test_stuck_copied_reset_and_blank_are_found_when_the_press_files_are_taken_in(
    tmp_path: Path, real_data: Path
) -> None:
    """Invariants I5 to I7 of the files: each finding names its batch and column, and none is more."""
    with linked(tmp_path, mappings=("press",), rights=RIGHTS) as made:
        found = {
            number: made.cmo.take(real_data / "zagar2022" / "Process" / f"{number}.csv").findings
            for number in (3, 5, 6)
        }

    def told(number: int, rule: str) -> dict[str, str]:
        return {
            f"{item.where.key[0]} {item.where.path}": item.found
            for item in found[number]
            if item.rule == rule
        }

    # I5: the counter of batch 325 stands still, of all batches alone.
    (stuck,) = told(3, "counter.stuck").items()
    assert stuck[0] == "325 /produced"
    assert stuck[1].startswith("167 in 2340 rows in which tbl_speed is above 0")
    # I6: a copied column in every row of every batch of one file.
    copied = told(3, "series.copied")
    assert len(copied) == 16
    assert {key.split()[1] for key in copied} == {"/fom"}
    assert sum(int(text.split()[-2]) for text in copied.values()) == 53_057
    # I7: blank rows are findings and no points; a counter falls inside two batches.
    blank = [item.found for item in found[5] if item.rule == "series.blank"]
    assert sum(int(text.split()[0]) for text in blank) == 57
    assert set(told(5, "counter.reset")) == {"117 /produced", "365 /produced"}
    for number in (5, 6):
        assert not told(number, "counter.stuck")
        assert not told(number, "series.copied")


def test_film_coating_is_read_by_phase_at_the_sponsor(tmp_path: Path, real_data: Path) -> None:
    path = real_data / "pyphi" / "examples" / "Batch analysis" / "Batch Film Coating.xlsx"
    book = openpyxl.load_workbook(path, read_only=True)
    rows = list(book.worksheets[0].iter_rows(min_row=2, values_only=True))
    with linked(tmp_path, mappings=("coating",), rights=RIGHTS) as made:
        made.cmo.take(path)
        made.cmo.share(made.agreement)
        made.settle()
        batches = sorted({str(row[0]) for row in rows})
        assert len(batches) == 17
        for batch in batches:
            (item,) = load_series(made.sponsor.home, batch)
            points = column_points(
                series_block(made.sponsor.home, item), "AIR.INLET_TEMPERATURE.PV"
            )
            told = [row[4] for row in rows if row[0] == batch]
            assert [number / 10 ** (points.scale or 0) for number in points.numbers] == told
        with fedbatch.open(made.sponsor.home.path) as reader:
            laid = reader.overlay("AIR.INLET_TEMPERATURE", step="SPRAYING", count=20).to_pandas()
        assert laid["batch"].nunique() == 17
        sprayed = [float(str(row[4])) for row in rows if row[1] == "SPRAYING"]
        assert min(sprayed) <= laid["least"].min()
        assert laid["greatest"].max() <= max(sprayed)


def features(block: Block) -> dict[str, float]:
    """Published features of a press batch, from its series alone (COLUMNS.md of the data)."""

    def column(term: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        points = column_points(block, f"{term}.PV")
        return np.asarray(points.numbers / 10 ** (points.scale or 0), dtype=np.float64)

    speed, produced, waste = map(column, ("PRESS.SPEED", "TABLETS.GOOD", "TABLETS.REJECTED"))
    makes = (speed > 0) & (produced > 0)
    return {
        "tbl_speed_mean": speed[speed > 0].mean(),
        "tbl_speed_change": float(1 + np.count_nonzero(np.diff(speed))),
        "tbl_speed_0_duration": float(np.count_nonzero(speed == 0)),
        "total_waste": waste.max(),
        "startup_waste": waste[produced == 0].max(),
        "main_CompForce mean": column("PRESS.FORCE.MAIN")[makes].mean(),
        "tbl_fill_mean": column("PRESS.FILL_DEPTH")[makes].mean(),
    }


def test_series_at_the_sponsor_recompute_the_published_features(
    tmp_path: Path, real_data: Path
) -> None:
    folder = real_data / "zagar2022"

    def table(name: str) -> list[dict[str, str]]:
        with (folder / name).open() as lines:
            return list(csv.DictReader(lines, delimiter=";"))

    factors = {
        r["Product code"]: float(r["Normalisation factor"]) for r in table("Normalization.csv")
    }
    published = {r["batch"]: r for r in table("Process.csv")}
    codes = sorted(factors)
    checked = 0
    with linked(tmp_path, mappings=("press",), rights=RIGHTS, products=codes) as made:
        blank: set[str] = set()
        for number in (3, 5, 6):
            report = made.cmo.take(folder / "Process" / f"{number}.csv")
            blank |= {f.where.key[0] for f in report.findings if f.rule == "series.blank"}
        made.cmo.share(made.agreement)
        made.settle()
        for batch in sorted({b.numbers[0] for b in read_batches(made.sponsor.home)}):
            told = published[batch]
            (item,) = load_series(made.sponsor.home, batch)
            found = features(series_block(made.sponsor.home, item))
            for name, value in found.items():
                # A blank row counts as a change in what was published, and weekends were left out.
                is_other = name == "tbl_speed_change" and batch in blank
                is_weekend = name == "tbl_speed_0_duration" and told["weekend"] == "yes"
                if is_other or is_weekend:
                    continue
                if name in {"tbl_speed_change", "tbl_speed_0_duration", "total_waste"}:
                    value = value / factors[told["code"]]  # noqa: PLW2901 - as published
                assert value == pytest.approx(float(told[name]), rel=1e-6), (batch, name)
                checked += 1
    assert checked == 7 * 21 - len(blank) - 2
