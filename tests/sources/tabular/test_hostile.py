import io
import os
import struct
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import openpyxl
import pytest

from fedbatch.errors import InputError
from fedbatch.sources.tabular import Bounds, Layout, list_sheets, read_file
from fedbatch.sources.tabular.guards import BOUNDS, load

SHEET = "xl/worksheets/sheet1.xml"
MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"


@pytest.fixture(autouse=True)
def quickly() -> Iterator[None]:
    """Whatever is refused is refused within two seconds of work, however busy the machine is."""
    start = time.process_time()
    yield
    assert time.process_time() - start < 2


def refused(path: Path, bounds: Bounds = BOUNDS) -> str:
    with pytest.raises(InputError) as caught:
        read_file(path, Layout(), bounds)
    return caught.value.code


def write(folder: Path, content: bytes, name: str = "a.csv") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def workbook(folder: Path, parts: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    """A sound workbook with some parts exchanged or added."""
    book = openpyxl.Workbook()
    page = io.BytesIO()
    book.save(page)
    path = folder / "a.xlsx"
    with zipfile.ZipFile(page) as source, zipfile.ZipFile(path, "w", method) as target:
        for name in {**dict.fromkeys(source.namelist()), **parts}:
            target.writestr(name, parts.get(name) or source.read(name))
    return path


def sheet(rows: str, prolog: str = "") -> dict[str, bytes]:
    body = f'<worksheet xmlns="{MAIN}"><sheetData>{rows}</sheetData></worksheet>'
    return {SHEET: (prolog + body).encode()}


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    assert refused(write(tmp_path, b"")) == "file.empty"


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    assert refused(tmp_path / "a.csv") == "file.missing"


def test_a_directory_is_refused(tmp_path: Path) -> None:
    assert refused(tmp_path) == "file.kind"


def test_a_pipe_is_refused_without_waiting_for_its_writer(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.csv")
    assert refused(tmp_path / "a.csv") == "file.kind"


def test_a_device_is_refused_even_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "a.csv").symlink_to("/dev/zero")
    assert refused(tmp_path / "a.csv") == "file.kind"


def test_a_name_that_cannot_be_is_refused() -> None:
    assert refused(Path("a\0b.csv")) == "file.unreadable"


@pytest.mark.parametrize("name", ["ü 日本.csv", "a;b'\"$(x).csv", "-rf", "..csv", "x" * 250])
def test_an_odd_name_is_only_a_name(tmp_path: Path, name: str) -> None:
    assert read_file(write(tmp_path, b"a,b\n1,2\n", name)).file.name == name


def test_a_gigabyte_of_zeros_is_refused_at_its_first_block(tmp_path: Path) -> None:
    path = write(tmp_path, b"")
    os.truncate(path, 1 << 30)
    assert refused(path) == "file.nul"


def test_a_nul_byte_further_down_is_refused(tmp_path: Path) -> None:
    assert refused(write(tmp_path, b"a,b\n" + b"1,2\n" * 400_000 + b"1,\0\n")) == "file.nul"


def test_a_file_beyond_the_bound_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = write(tmp_path, b"a,b\n")
    os.truncate(path, 3 << 30)
    assert refused(path) == "file.too_large"


def test_a_line_without_end_is_refused(tmp_path: Path) -> None:
    assert refused(write(tmp_path, b"a" * (17 << 20))) == "file.line_length"


def test_a_hundred_thousand_columns_are_refused(tmp_path: Path) -> None:
    line = b",".join(b"c%d" % n for n in range(100_000)) + b"\n"
    assert refused(write(tmp_path, line * 3)) == "file.columns"


def test_too_many_cells_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path, b"a,b\n" + b"1,2\n" * 1_000)
    assert refused(path, Bounds(text_cells_max=1_000)) == "file.cells"


def test_a_quote_never_closed_is_refused_where_it_swallows_the_file(tmp_path: Path) -> None:
    assert refused(write(tmp_path, b'a,b\n1,"' + b"2,3\n" * 100_000)) == "file.field"


@pytest.mark.parametrize("content", [b"%PDF-1.7\n", b"<html><table>", b"\x1f\x8b\x08\x00"])
def test_what_is_no_table_is_named_for_what_it_is(tmp_path: Path, content: bytes) -> None:
    assert refused(write(tmp_path, content, "a.xls")) == "file.kind"


def test_noise_named_xlsx_is_refused(tmp_path: Path) -> None:
    assert refused(write(tmp_path, bytes(range(256)) * 4, "a.xlsx")) == "file.nul"


def append_once(path: Path) -> Callable[[BinaryIO, int], bytes]:
    """A reader during whose first block another program goes on writing."""
    pending = [b"3,4\n"]

    def read(stream: BinaryIO, size: int) -> bytes:
        block = stream.read(size)
        if pending:
            with path.open("ab") as other:
                other.write(pending.pop())
        return block

    return read


def test_a_file_still_being_written_is_not_read(tmp_path: Path) -> None:
    path = write(tmp_path, b"a,b\n1,2\n")
    with pytest.raises(InputError, match="Wait until it is finished") as caught:
        load(path, read_block=append_once(path))
    assert caught.value.code == "file.growing"
    assert load(path).content == b"a,b\n1,2\n3,4\n"


def test_a_long_row_of_digits_costs_nothing(tmp_path: Path) -> None:
    text = b"1" * 100_000 + b"x"
    assert len(read_file(write(tmp_path, b"a;" + text + b"\n1;2\n")).tables[0].columns) == 2


# ---------------------------------------------------------------- workbooks


def test_a_workbook_cut_short_is_refused(tmp_path: Path) -> None:
    path = workbook(tmp_path, {})
    os.truncate(path, path.stat().st_size - 40)
    assert refused(path) == "file.truncated"


def test_an_encrypted_workbook_is_refused(tmp_path: Path) -> None:
    head = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(500)
    content = head + "EncryptedPackage".encode("utf-16-le") + bytes(500)
    assert refused(write(tmp_path, content, "a.xlsx")) == "file.encrypted"


def test_a_zip_bomb_is_refused_by_its_ratio(tmp_path: Path) -> None:
    assert refused(workbook(tmp_path, {"xl/media/a.bin": bytes(20 << 20)})) == "file.zip_bomb"


def test_a_zip_bomb_is_refused_by_its_sum(tmp_path: Path) -> None:
    path = workbook(tmp_path, {f"xl/media/{n}": os.urandom(1 << 10) * 100 for n in range(20)})
    assert refused(path, Bounds(inflated_bytes_max=1 << 20)) == "file.zip_bomb"


def test_a_zip_bomb_is_refused_by_its_entries(tmp_path: Path) -> None:
    path = workbook(tmp_path, {f"x{n}": b"x" for n in range(10_001)})
    assert refused(path) == "file.zip_bomb"


def test_a_size_that_lies_is_refused(tmp_path: Path) -> None:
    path = workbook(tmp_path, sheet("<row/>" * 1_000), zipfile.ZIP_DEFLATED)
    content = path.read_bytes()
    entry = content.rfind(b"PK\x01\x02", 0, content.rfind(SHEET.encode()))
    forged = content[: entry + 24] + struct.pack("<I", 50) + content[entry + 28 :]
    assert refused(write(tmp_path, forged, "a.xlsx")) == "file.damaged"


@pytest.mark.parametrize(
    ("offset", "value", "code"),
    [(8, 1, "file.encrypted"), (10, zipfile.ZIP_LZMA, "file.damaged"), (6, 79, "file.truncated")],
    ids=["password", "compression", "version"],
)
def test_an_archive_of_an_unknown_form_is_refused(
    tmp_path: Path, offset: int, value: int, code: str
) -> None:
    content = bytearray(workbook(tmp_path, {}).read_bytes())
    struct.pack_into("<H", content, content.index(b"PK\x01\x02") + offset, value)
    assert refused(write(tmp_path, bytes(content), "a.xlsx")) == code


def test_a_sheet_without_its_part_is_no_sheet_less(tmp_path: Path) -> None:
    relations = (
        b'<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"/>'
    )
    path = workbook(tmp_path, {"xl/_rels/workbook.xml.rels": relations})
    with pytest.raises(InputError) as caught:
        list_sheets(path)
    assert caught.value.code == "file.damaged"


def test_markup_without_measure_is_refused(tmp_path: Path) -> None:
    path = workbook(tmp_path, sheet("<row/>" * 1_000))
    assert refused(path, Bounds(markup_max=500)) == "file.zip_bomb"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize("part", [SHEET, "xl/workbook.xml", "[Content_Types].xml", "xl/odd.png"])
def test_entities_are_refused_in_any_part_and_encoding(
    tmp_path: Path, part: str, encoding: str
) -> None:
    prolog = f'<?xml version="1.0" encoding="{encoding}"?>'
    content = prolog + '<!DOCTYPE x [<!ENTITY a "aa"><!ENTITY b "&a;&a;">]><x>&b;</x>'
    assert refused(workbook(tmp_path, {part: content.encode(encoding)})) == "file.entity"


def test_an_external_document_type_is_refused(tmp_path: Path) -> None:
    prolog = '<!DOCTYPE worksheet SYSTEM "file:///etc/passwd">'
    assert refused(workbook(tmp_path, sheet("", prolog))) == "file.entity"


@pytest.mark.parametrize(
    ("rows", "code"),
    [
        ('<row r="1048577"><c r="A1048577"><v>1</v></c></row>', "file.rows"),
        ('<row r="2"/><row r="1"/>', "file.rows"),
        ('<row r="1"><c r="XFE1"><v>1</v></c></row>', "file.columns"),
        ('<row r="1"><c r="B1"><v>1</v></c><c r="A1"><v>1</v></c></row>', "file.columns"),
        ('<row r="1"><c r="A1" t="s"><v>99</v></c></row>', "file.damaged"),
        ('<row r="1"><c r="A1" s="99"><v>1</v></c></row>', "file.damaged"),
        ('<row r="1"><c r="A1" t="zz"><v>1</v></c></row>', "file.damaged"),
        ('<row r="1"><c r="A1"><v>one</v></c></row>', "file.damaged"),
        ('<row r="1"><c r="A1"><v>1</c></row>', "file.damaged"),
        (f'<row r="1"><c r="A1"><v>{"1" * 50_000}x</v></c></row>', "file.damaged"),
        ("", "file.header"),
    ],
)
def test_a_sheet_that_breaks_its_own_rules_is_refused(tmp_path: Path, rows: str, code: str) -> None:
    assert refused(workbook(tmp_path, sheet(rows))) == code


def test_one_cell_in_the_last_corner_costs_no_more_than_one_row(tmp_path: Path) -> None:
    text = '<row r="{0}"><c r="{1}{0}" t="inlineStr"><is><t>x</t></is></c></row>'
    rows = text.format(1, "A") + text.format(1_048_576, "XFD")
    (table,) = read_file(workbook(tmp_path, sheet(rows))).tables
    assert table.rows == [1_048_576]
    assert [column.index for column in table.columns] == [0, 16_383]


def test_cells_beyond_the_bound_are_refused(tmp_path: Path) -> None:
    rows = "".join(f'<row r="{n}"><c r="XFD{n}"><v>1</v></c></row>' for n in range(1, 20))
    path = workbook(tmp_path, sheet(rows))
    assert refused(path, Bounds(sheet_cells_max=100_000)) == "file.cells"


# ---------------------------------------------------------------- legacy


@pytest.mark.parametrize("tail", [b"", bytes(2_000), b"\xff" * 2_000])
def test_a_broken_xls_is_refused(tmp_path: Path, tail: bytes) -> None:
    path = write(tmp_path, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + tail, "a.xls")
    assert refused(path) == "file.damaged"


def test_an_xls_that_claims_a_huge_sheet_stops_its_reader_and_not_us(
    tmp_path: Path, test_data: Path
) -> None:
    content = (test_data / "akta" / "unicorn5_export_Protein_A.xls").read_bytes()
    extent = content.index(b"\x00\x02\x0e\x00") + 4
    forged = struct.pack("<IIHH", 0, 0xFFFFFFF0, 0, 0xFFFF)
    path = write(tmp_path, content[:extent] + forged + content[extent + 12 :], "a.xls")
    assert refused(path) == "file.damaged"
    with pytest.raises(InputError):
        list_sheets(path)
