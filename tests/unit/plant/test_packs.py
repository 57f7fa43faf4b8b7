import csv
import io
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl import load_workbook

import fedbatch.standard
from fedbatch.errors import InputError
from fedbatch.plant.packs import World, make_world
from tests.unit.plant.judging import START, historian_rows, sheet

STANDARD = Path(fedbatch.standard.__file__).parent


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def written(world: World, folder: Path, instant: datetime) -> dict[str, bytes]:
    world.write_until(folder, instant)
    return contents(folder)


@pytest.fixture(scope="module")
def short() -> World:
    return make_world("demo", seed=3, start=START, days=2)


# ---- determinism and growth


def test_equal_seeds_write_equal_bytes_and_other_seeds_others(tmp_path: Path) -> None:
    first, again, other = (
        make_world("pilot", seed=seed, start=START, days=2) for seed in (7, 7, 8)
    )
    mine = written(first, tmp_path / "first", first.end)
    assert mine == written(again, tmp_path / "again", again.end)
    assert mine != written(other, tmp_path / "other", other.end)


@settings(max_examples=8, deadline=None)
@given(shares=st.lists(st.floats(0, 1), min_size=1, max_size=5))
def test_steps_lead_where_one_step_leads_and_historian_files_only_grow(
    short: World, tmp_path_factory: pytest.TempPathFactory, shares: list[float]
) -> None:
    folder = tmp_path_factory.mktemp("steps")
    length = short.end - short.start
    instants = [short.start + share * length for share in sorted(shares)]
    before: dict[str, bytes] = {}
    for instant in instants:
        now = written(short, folder, instant)
        for name, content in before.items():
            if name.startswith("historian"):
                assert now[name].startswith(content)
                assert now[name].endswith(b"\n")
        before = now
    at_once = tmp_path_factory.mktemp("once")
    assert before == written(short, at_once, instants[-1])


def test_writing_the_same_instant_again_touches_no_file(short: World, tmp_path: Path) -> None:
    instant = short.start + (short.end - short.start) / 2
    written(short, tmp_path, instant)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.csv")}
    short.write_until(tmp_path, instant)
    sheets = {path for path in before if "historian" not in str(path)}
    assert {path: path.stat().st_mtime_ns for path in sheets} == {p: before[p] for p in sheets}


def test_file_of_another_world_is_not_continued(short: World, tmp_path: Path) -> None:
    other = make_world("demo", seed=4, start=START, days=2)
    half = short.start + (short.end - short.start) / 2
    other.write_until(tmp_path, half)
    with pytest.raises(InputError):
        short.write_until(tmp_path, short.end)


def test_time_does_not_run_backwards(short: World, tmp_path: Path) -> None:
    before = written(short, tmp_path, short.end)
    with pytest.raises(InputError):
        short.write_until(tmp_path, short.start)
    assert contents(tmp_path) == before


@pytest.mark.parametrize(
    ("pack", "start", "days", "without"),
    [
        ("unknown", START, None, ()),
        ("pilot", START.replace(tzinfo=None), None, ()),
        ("pilot", START, 1.9, ()),
        ("pilot", START, None, ("sponsor-1",)),
    ],
)
def test_worlds_that_cannot_be_are_refused(
    pack: str, start: datetime, days: float | None, without: tuple[str, ...]
) -> None:
    with pytest.raises(InputError):
        make_world(pack, seed=1, start=start, days=days, without=without)


def test_unknown_batch_is_refused(short: World, tmp_path: Path) -> None:
    with pytest.raises(InputError):
        short.export_interpolated(tmp_path, "B00-0000")


# ---- isolation


Shown = tuple[World, Path]


def isolation(folder: Path, *without: str) -> Shown:
    world = make_world("isolation", seed=5, start=START, days=2, without=without, local_trains=())
    world.write_until(folder, world.end)
    return world, folder


@pytest.fixture(scope="module")
def both_sponsors(tmp_path_factory: pytest.TempPathFactory) -> Shown:
    return isolation(tmp_path_factory.mktemp("both"))


@pytest.fixture(scope="module")
def one_sponsor(tmp_path_factory: pytest.TempPathFactory) -> Shown:
    return isolation(tmp_path_factory.mktemp("one"), "sponsor-2")


def test_the_other_sponsors_absence_changes_nothing_of_ones_own(
    both_sponsors: Shown, one_sponsor: Shown
) -> None:
    both, both_folder = both_sponsors
    alone, alone_folder = one_sponsor
    own = {batch.number for batch in alone.batches}
    assert [batch for batch in both.batches if batch.number in own] == list(alone.batches)
    for batch in alone.batches:
        in_window = [
            [
                row
                for row in historian_rows(folder, batch.train)
                if batch.fill_at <= row[1] < batch.end_at
            ]
            for folder in (both_folder, alone_folder)
        ]
        assert in_window[0] == in_window[1]
        assert len(in_window[0]) > 1_000
    for name in ("lims/samples_train1.csv", "lims/samples_train2.csv", "mes/steps.csv"):
        shown = [row for row in sheet(both_folder / name) if row["Batch"] in own]
        assert shown == sheet(alone_folder / name)
    assert [label for label in both.labels if label.batch in own] == list(alone.labels)


def markers(folder: Path) -> set[str]:
    """What only the second sponsor's batches bear, found in any file."""
    text = b"".join(
        content
        for part in ("mes", "lims", "unit_tag")
        for content in contents(folder / part).values()
    )
    found = {mark for mark in ("P-2210", "KX-", "B26-0142", "B26-0143") if mark.encode() in text}
    points = {row[2] for row in historian_rows(folder, 1) if row[0].endswith(("PH.SP", "TEMP.SP"))}
    return found | (points & {"6.93", "37.20", "33.10"})


def test_what_marks_the_other_sponsor_is_there_with_it_and_gone_without(
    both_sponsors: Shown, one_sponsor: Shown
) -> None:
    _, both_folder = both_sponsors
    alone, alone_folder = one_sponsor
    assert len(markers(both_folder)) == 7
    assert markers(alone_folder) == set()
    assert [party.id for party in alone.parties] == ["cmo-a", "sponsor-1"]


# ---- time


def test_night_of_two_hours_stands_twice_in_local_time_and_once_in_utc(tmp_path: Path) -> None:
    start = datetime(2026, 10, 23, 6, tzinfo=UTC)
    world = make_world("pilot", seed=1, start=start, days=3, local_trains=(1,))
    world.write_until(tmp_path, start + timedelta(days=3))
    text = (tmp_path / "historian" / "train1.csv").read_text()
    header, *lines = text.splitlines()
    assert "local time" in header
    hours = [line.split(",")[1][:13] for line in lines if "_DO.PV" in line]
    night = [hour for hour in hours if hour.startswith("25.10.2026 0")]
    twice = night.count("25.10.2026 02")
    assert 1.5 < twice / night.count("25.10.2026 01") < 2.6
    minutes = [line.split(",")[1] for line in lines if "_DO.PV" in line]
    assert minutes != sorted(minutes, key=lambda text: (text[6:10], text[3:5], text[:2], text[11:]))
    instants = [row[1] for row in utc_rows(world, tmp_path / "utc", start)]
    assert instants == sorted(instants)


def utc_rows(world: World, folder: Path, start: datetime) -> list[tuple[str, int, str, str]]:
    same = make_world("pilot", seed=1, start=start, days=3, local_trains=())
    same.write_until(folder, start + timedelta(days=3))
    return [row for row in historian_rows(folder, 1) if row[0].endswith("DO.PV")]


# ---- sheets


def test_sheets_show_what_is_known_and_no_more(pilot: World, tmp_path: Path) -> None:
    batch = pilot.batches[0]
    sample = next(
        sample for sample in pilot.samples[batch.index] if "Titre (g/L)" in sample.results
    )

    def row(at: int) -> dict[str, str] | None:
        pilot.write_until(tmp_path, datetime.fromtimestamp(at, UTC))
        rows = sheet(tmp_path / "lims" / "samples_train1.csv")
        return next((row for row in rows if row["Sample No."] == sample.drawing.number), None)

    assert row(sample.logged_at - 1) is None
    registered = row(sample.logged_at)
    assert registered is not None
    assert (registered["VCD (10^6/mL)"], registered["Status"]) == ("", "registered")
    measured = row(sample.results_at)
    assert measured is not None
    assert "," in measured["VCD (10^6/mL)"]
    assert (measured["Titre (g/L)"], measured["Status"]) == ("", "provisional")
    complete = row(sample.titre_at)
    assert complete is not None
    assert complete["Titre (g/L)"] == sample.results["Titre (g/L)"].replace(".", ",")
    steps = {row["Step"]: row for row in sheet(tmp_path / "mes" / "steps.csv")}
    assert steps["BIOREACTOR"]["End"] == ""
    assert steps["INOC-TRANSFER"]["End"]


def test_trains_count_days_from_different_origins(pilot_folder: Path) -> None:
    for train, origin in ((1, "0"), (2, "1")):
        rows = sheet(pilot_folder / "lims" / f"samples_train{train}.csv")
        assert rows[0]["Day"] == origin


def test_sample_numbers_are_consecutive_over_all_batches(demo_folder: Path) -> None:
    numbers = [
        int(row["Sample No."][2:])
        for train in (1, 2)
        for row in sheet(demo_folder / "lims" / f"samples_train{train}.csv")
    ]
    assert sorted(numbers) == list(range(10_431, 10_431 + len(numbers)))


def test_workbook_says_what_the_sheet_says(pilot_folder: Path) -> None:
    rows = sheet(pilot_folder / "lims" / "samples_train1.csv")
    cells = load_workbook(pilot_folder / "workbooks" / "samples_train1.xlsx").worksheets[0]
    body = list(cells.iter_rows(min_row=4, values_only=True))
    assert len(body) == len(rows)
    for row, values in zip(rows, body, strict=True):
        assert values[0] == row["Sample No."]
        assert values[7] == (
            float(text.replace(",", ".")) if (text := row["Glucose (g/L)"]) else None
        )


def test_wide_export_has_a_row_a_minute_and_a_row_of_units(pilot: World, tmp_path: Path) -> None:
    batch = pilot.batches[0]
    path = pilot.export_interpolated(tmp_path, batch.number)
    rows = list(csv.reader(io.StringIO(path.read_text())))
    assert rows[1][1:4] == ["pH", "pH", "%"]
    assert {len(row) for row in rows} == {20}
    assert len(rows) - 2 == (batch.end_at - batch.inoculation_at) // 60


def test_labels_stand_outside_every_source(demo: World, demo_folder: Path, tmp_path: Path) -> None:
    demo.write_labels(tmp_path / "labels.json")
    labels = json.loads((tmp_path / "labels.json").read_text())
    assert [label["id"] for label in labels] == [label.id for label in demo.labels]
    assert all(datetime.fromisoformat(label["from"]).tzinfo for label in labels)
    held = b"".join(contents(demo_folder).values())
    assert not any(label["id"].encode() in held for label in labels)
    assert b"fault-" not in held


# ---- what agreements need to know


def column(name: str, place: int) -> set[str]:
    rows = csv.reader(io.StringIO((STANDARD / name).read_text(encoding="utf-8")))
    return {row[place] for row in rows}


def test_terms_and_units_are_those_of_the_standard(demo: World) -> None:
    terms, units = column("dictionary.csv", 0), column("units.csv", 0)
    assert {item.term for item in demo.parameters} | {item.term for item in demo.tags} <= terms
    assert {item.unit for item in demo.parameters} | {item.unit for item in demo.tags} <= units


def test_codes_are_unique_in_a_product_and_every_tags_code_is_agreed(demo: World) -> None:
    named = [(item.product, item.code, item.role) for item in demo.parameters]
    assert len(named) == len(set(named))
    codes = {item.code for item in demo.parameters}
    assert {tag.code for tag in demo.tags} - {""} <= codes


def test_normal_range_lies_within_the_proven_range(demo: World) -> None:
    for parameter in demo.parameters:
        proven = {limit.element: limit for limit in parameter.limits if limit.kind == "PAR"}
        for limit in parameter.limits:
            outer = proven.get(limit.element)
            if limit.kind == "NOR" and outer is not None:
                for inner_bound, outer_bound, sign in (
                    (limit.low, outer.low, 1),
                    (limit.high, outer.high, -1),
                ):
                    if inner_bound is not None and outer_bound is not None:
                        assert sign * (Decimal(inner_bound) - Decimal(outer_bound)) >= 0


def test_elements_of_limits_are_steps_of_the_step_table(demo: World) -> None:
    elements = {limit.element for item in demo.parameters for limit in item.limits}
    assert elements - {None} <= {click.step for click in demo.clicks}
