import csv
import os
from decimal import Decimal
from pathlib import Path

import pytest

from fedbatch.rules.source import Extremes, order_findings
from fedbatch.standard.findings import Finding, Place

ROOT = Path(__file__).parents[3]
DATA = Path(os.environ.get("FEDBATCH_TEST_DATA", ROOT.parent / "shared" / "data"))


def one_row(least: str, mean: str, greatest: str) -> list[str]:
    numbers = [Decimal(text) if text else None for text in (least, mean, greatest)]
    extremes = Extremes(
        name="hardness",
        places=[Place(locator="4")],
        least=[numbers[0]],
        mean=[numbers[1]],
        greatest=[numbers[2]],
    )
    return [item.found for item in order_findings(extremes)]


def test_exchanged_extremes_are_found_with_all_fields_in_their_row() -> None:
    extremes = Extremes(
        name="hardness",
        places=[Place(file="a.csv", locator="2"), Place(file="a.csv", locator="3")],
        least=[Decimal("37.0"), Decimal("62.7")],
        mean=[Decimal(46), Decimal("56.0")],
        greatest=[Decimal(56), Decimal(37)],
    )
    assert list(order_findings(extremes)) == [
        Finding(
            rule="order.min_mean_max",
            severity=2,
            where=Place(file="a.csv", locator="3"),
            found="least 62.7, mean 56.0, greatest 37",
            expected="least ≤ mean ≤ greatest of hardness",
        )
    ]


@pytest.mark.parametrize(
    ("least", "mean", "greatest"),
    [
        ("1", "2", "3"),
        ("2", "2.0", "2"),
        ("1", "", "1"),
        ("", "2", "2"),
        ("2", "2", ""),
        ("5", "", ""),
        ("", "", ""),
    ],
)
def test_numbers_in_order_equal_or_missing_are_no_finding(
    least: str, mean: str, greatest: str
) -> None:
    assert one_row(least, mean, greatest) == []


@pytest.mark.parametrize(
    ("least", "mean", "greatest", "found"),
    [
        ("3", "2", "4", "least 3, mean 2, greatest 4"),
        ("1", "5", "4", "least 1, mean 5, greatest 4"),
        ("5", "", "4", "least 5, greatest 4"),
        ("5", "4", "", "least 5, mean 4"),
        ("", "5", "4", "mean 5, greatest 4"),
    ],
)
def test_each_pair_that_is_there_is_compared(
    least: str, mean: str, greatest: str, found: str
) -> None:
    assert one_row(least, mean, greatest) == [found]


def test_a_parameter_without_a_mean_column_is_compared_by_its_extremes() -> None:
    extremes = Extremes(
        name="x",
        places=[Place(), Place()],
        least=[Decimal(2), Decimal(1)],
        greatest=[Decimal(1)] * 2,
    )
    assert [item.found for item in order_findings(extremes)] == ["least 2, greatest 1"]


def _rows() -> list[dict[str, str]]:
    path = DATA / "zagar2022" / "Laboratory.csv"
    if not path.is_file() and os.environ.get("CI") != "true":
        pytest.skip("test data not found: set FEDBATCH_TEST_DATA")
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file, delimiter=";"))


def _disordered(rows: list[dict[str, str]], prefix: str) -> set[str]:
    def column(statistic: str) -> list[Decimal | None]:
        texts = [row[f"{prefix}_{statistic}_hardness"] for row in rows]
        return [Decimal(text) if text else None for text in texts]

    extremes = Extremes(
        name=f"{prefix}_hardness",
        places=[Place(locator=str(number)) for number in range(len(rows))],
        least=column("min"),
        mean=column("av"),
        greatest=column("max"),
    )
    return {item.where.locator for item in order_findings(extremes)}


def test_hardness_of_a_public_file_is_out_of_order_in_488_rows() -> None:
    rows = _rows()
    core, coated = _disordered(rows, "tbl"), _disordered(rows, "fct")
    assert (len(core), len(coated), len(core | coated)) == (479, 337, 488)
