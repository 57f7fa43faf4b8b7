"""What people and programs read: exports, the Python reader, proofs; on the demo's invented tables."""

import csv
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import openpyxl
import pyarrow.parquet as pq
import pytest
from rich.console import Console
from typer.testing import CliRunner

import fedbatch
from fedbatch.cli import app, output
from fedbatch.errors import InputError
from fedbatch.node.exporting import export_ledger, export_proof, export_table
from fedbatch.node.findings import read_findings
from fedbatch.node.importing import confirm_mapping, load_mappings
from fedbatch.node.mapping_files import read_mapping
from fedbatch.node.overview import read_batches, read_status
from fedbatch.node.reading import read_provenance, read_results
from fedbatch.standard.agreements import Limit
from tests.scenarios.agreements import ALL_TYPES, parameters_of, tablet_agreement
from tests.scenarios.making import linked, row, write_table
from tests.scenarios.tables import MAPPING, Product, laboratory_table
from tests.scenarios.world import Node, World

ROOT = Path(__file__).resolve().parents[2]
PRODUCT = Product(code="T-100", name="Alpinol 20 mg", batches=15, first=2001)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("reading")
    made = World(folder)
    cmo, sponsor = made.node("cmo"), made.node("sponsor", listens=True)
    made.pair(cmo, sponsor)
    mapping = folder / "laboratory.yaml"
    mapping.write_text(MAPPING, encoding="utf-8")
    confirm_mapping(cmo.home, read_mapping(mapping), cmo.person)
    body = tablet_agreement(cmo, sponsor, ["T-100"], parameters_of(load_mappings(cmo.home)))
    made.agree(body, cmo, sponsor, cmo)
    table = folder / "laboratory.csv"
    table.write_bytes(laboratory_table([PRODUCT]))
    cmo.take(table)
    cmo.share("ag-1")
    made.sync(cmo, sponsor)
    yield made
    made.close()


@pytest.fixture
def sponsor(world: World) -> Node:
    return world.nodes["sponsor"]


def test_a_bounded_number_never_breaks_a_column(sponsor: Node) -> None:
    with fedbatch.open(sponsor.home.path) as reader:
        table = reader.matrix(("IMPURITY.NAMED_A",)).to_pandas()
        results = reader.results("B2001", codes=("IMPURITY.NAMED_A",)).to_pylist()
    column = table["IMPURITY.NAMED_A"]
    assert column.dtype == "float64"
    assert column.isna().sum() == 2
    bounded = table[column.isna()]["IMPURITY.NAMED_A.number"]
    assert set(bounded) == {"<0.05"}
    assert (results[0]["number"], results[0]["comparator"], results[0]["value"]) == (
        "0.05",
        "<",
        None,
    )


def test_batches_are_one_row_each(sponsor: Node) -> None:
    with fedbatch.open(sponsor.home.path) as reader:
        assert reader.batches().num_rows == 15


def test_genealogy_leads_from_lots_to_batches_and_back(sponsor: Node) -> None:
    with fedbatch.open(sponsor.home.path) as reader:
        rows = reader.genealogy().to_pylist()
    of_lot = {row["numbers"][0] for row in rows if row["lot_number"] == "DS-100"}
    assert of_lot == {"B2001", "B2002", "B2003", "B2004"}
    assert {row["use"] for row in rows} == {"drug_substance"}
    assert len({row["lot"] for row in rows}) == 4


def test_an_unknown_batch_is_an_error_that_names_it(sponsor: Node) -> None:
    with pytest.raises(InputError, match="B9999"):
        read_results(sponsor.home, batch="B9999")


@pytest.mark.parametrize("suffix", [".csv", ".xlsx", ".parquet"])
def test_a_table_is_read_back_as_it_was(sponsor: Node, tmp_path: Path, suffix: str) -> None:
    rows: list[dict[str, Any]] = [
        {"batch": row.batch, "number": row.number} for row in read_results(sponsor.home)
    ]
    path = tmp_path / f"results{suffix}"
    export_table(rows, path, "results")
    if suffix == ".csv":
        back = list(csv.DictReader(path.read_text("utf-8-sig").splitlines()))
    elif suffix == ".parquet":
        back = pq.read_table(path).to_pylist()
    else:
        sheet = openpyxl.load_workbook(path).active
        assert sheet is not None
        names, *lines = sheet.iter_rows(values_only=True)
        assert names == ("batch", "number")
        assert all(isinstance(line[1], float | int | None) for line in lines)
        back = [{"batch": str(line[0]), "number": line[1]} for line in lines]
        rows = [
            {"batch": r["batch"], "number": float(r["number"]) if r["number"] else None}
            for r in rows
        ]
    assert back == rows


def test_a_text_is_no_formula_and_a_number_stays_one(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    export_table([{"a": "=1+1", "b": "-5.2", "c": "@x", "d": "plain"}], path, "t")
    (row,) = csv.DictReader(path.read_text("utf-8-sig").splitlines())
    assert row == {"a": "'=1+1", "b": "-5.2", "c": "'@x", "d": "plain"}


def _verifier(*arguments: str | Path) -> int:
    command = [sys.executable, ROOT / "verifier" / "fedbatch_verify.py", *arguments]
    return subprocess.run(command, capture_output=True, check=False).returncode


@pytest.mark.parametrize("name", ["cmo", "sponsor"])
@pytest.mark.parametrize("direction", ["sent", "received"])
def test_the_stand_alone_verifier_passes_on_both_homes(
    world: World, tmp_path: Path, name: str, direction: str
) -> None:
    node = world.nodes[name]
    export_ledger(node.home, node.known("ag-1"), tmp_path, sent=direction == "sent")
    assert _verifier("ledger", tmp_path, "--policy", tmp_path / "policy") == 0


def test_one_record_verifies_offline_and_one_changed_byte_does_not(
    sponsor: Node, tmp_path: Path
) -> None:
    row = read_results(sponsor.home, batch="B2002")[0]
    entry, proof, policy = export_proof(sponsor.home, row.entry, tmp_path)
    assert _verifier("record", entry, proof, "--policy", policy) == 0
    entry.write_bytes(entry.read_bytes().replace(b"B", b"C", 1).replace(b'"number"', b'"numbes"'))
    assert _verifier("record", entry, proof, "--policy", policy) == 1


def test_provenance_leads_to_the_cell_at_the_writer_and_to_a_commitment_at_the_partner(
    world: World,
) -> None:
    (own,) = read_provenance(world.nodes["cmo"].home, "B2002", "ASSAY")
    (copy,) = read_provenance(world.nodes["sponsor"].home, "B2002", "ASSAY")
    assert any("laboratory.csv" in text and "R3C9" in text for text in own.origins)
    assert all("laboratory.csv" not in text and "R3C9" not in text for text in copy.origins)
    assert any("commitment" in text for text in copy.origins)


def test_status_says_what_waits_for_whom(world: World) -> None:
    status = read_status(world.nodes["cmo"].home)
    assert status.held_back == 1
    assert "1 held-back items wait for a person here" in status.waits
    assert [item.state for item in status.agreements] == ["active"]
    assert [len(read_batches(node.home)) for node in world.nodes.values()] == [15, 15]


def _shown(monkeypatch: pytest.MonkeyPatch, node: Node, width: int, *more: str) -> str:
    monkeypatch.setattr(output, "_console", Console(width=width, highlight=False))
    done = CliRunner().invoke(app, ["results", *more, "--home", str(node.home.path)])
    assert done.exit_code == 0, done.output
    return done.output


def test_results_show_sample_and_time_where_the_record_has_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    headers = ("Lot no.", "Sample", "Taken", "Moisture (%)")
    rows = [("B1", "S-77", "2026-02-01 09:30", "2.1"), ("B1", "S-78", "2026-02-01 11:30", "2.2")]
    with linked(tmp_path, mappings=("small", "samples")) as made:
        made.deliver([row("B1")])
        made.cmo.take(write_table(tmp_path / "tables" / "samples.csv", rows, headers))
        made.cmo.share("ag-1")
        made.settle()
        for node in (made.cmo, made.sponsor):
            told = [
                (item.code, item.sample_number, item.observed_text, item.observed_at)
                for item in read_results(node.home, batch="B1")
            ]
            assert ("LOSS_ON_DRYING", "S-77", "2026-02-01 09:30", "2026-02-01T08:30:00Z") in told
            assert ("ASSAY", "", "", "") in told
        wide = _shown(monkeypatch, made.sponsor, 140, "B1").splitlines()
        assert wide[0].split()[4:6] == ["sample", "time"]
        assert any("S-77" in line and "2026-02-01 09:30" in line for line in wide)
        narrow = _shown(monkeypatch, made.sponsor, 40, "B1")
        assert ["sample", "S-77"] in [line.split() for line in narrow.splitlines()]
        assert all(len(line) <= 40 for line in narrow.splitlines())
        # Where none has them, the columns take no room.
        without = _shown(monkeypatch, made.sponsor, 140, "B1", "--code", "ASSAY").splitlines()
        assert {"sample", "time"}.isdisjoint(without[0].split())


def test_a_withdrawn_or_refolded_sample_leaves_no_number_behind(tmp_path: Path) -> None:
    headers = ("Lot no.", "Sample", "Taken", "Moisture (%)")
    rows = [("B1", "S-77", "2026-02-01 09:30", "2.1")]
    with linked(tmp_path, mappings=("small", "samples")) as made:
        made.deliver([row("B1")])
        made.cmo.take(write_table(tmp_path / "tables" / "samples.csv", rows, headers))
        made.cmo.share("ag-1")
        made.settle()
        views = made.sponsor.home.views("ag-1")
        before = views.sample_numbers()
        views.drop()
        assert views.sample_numbers() == {}
        assert made.sponsor.home.views("ag-1").sample_numbers() == before
        assert list(before.values()) == ["S-77"]


@pytest.mark.parametrize("types", [ALL_TYPES, tuple(t for t in ALL_TYPES if t != "sample")])
def test_a_finding_calls_a_sample_by_its_number_where_that_is_known(
    tmp_path: Path, types: Sequence[str]
) -> None:
    headers = ("Lot no.", "Sample", "Taken", "Moisture (%)")
    rows = [("B1", "S-77", "2026-02-01 09:30", "9.5")]
    with linked(tmp_path, mappings=("small", "samples")) as made:
        parameters = tuple(
            msgspec.structs.replace(item, limits=(Limit(kind="NOR", high="5"),))
            if item.code == "LOSS_ON_DRYING"
            else item
            for item in parameters_of(load_mappings(made.cmo.home))
        )
        body = tablet_agreement(made.cmo, made.sponsor, ["T-1"], parameters, types=types, version=2)
        made.world.agree(body, made.cmo, made.sponsor, made.dialer)
        made.deliver([row("B1")])
        made.cmo.take(write_table(tmp_path / "tables" / "samples.csv", rows, headers))
        made.cmo.share("ag-1")
        made.settle()
        (found,) = [
            item
            for item in read_findings(made.sponsor.home)
            if item.finding.rule == "limit.excursion"
        ]
    batch, code, _, sample, *_, source = found.finding.where.key
    assert (batch, code) == ("B1", "LOSS_ON_DRYING")
    if "sample" in types:
        assert sample == "sample S-77"
    else:
        assert re.fullmatch("sample s-[0-9a-f]{6}", sample)
    # How the partner calls its source is its own affair.
    assert re.fullmatch("source s-[0-9a-f]{6}", source)
    assert found.render() == "Expected NOR at most 5 %{w/w} at B1 LOSS_ON_DRYING, found '9.5'."
