"""The demo's world: an invented CMO that makes one product for each of two sponsors."""

import csv
import io
from dataclasses import dataclass

import numpy as np

__all__ = ["MAPPING", "PROCESS_MAPPING", "Product", "laboratory_table", "process_table"]

MAPPING = """\
source: laboratory
version: 1
shape: row_a_batch
decimal_mark: "."
zone: Europe/Zurich
time_formats: ["%Y-%m-%d %H:%M"]
absent_texts:
  - {text: n.d., reason: not_detected}
rules:
  - {header: Batch, field: batch}
  - {header: Product, field: product}
  - {header: Start, field: batch.start}
  - {header: Tablets, field: batch.size, raw_unit: tablets, unit: "1"}
  - {header: Substance lot, lot: {use: drug_substance}}
  - {header: Hardness min (N), term: tablet.hardness, qualifier: least, raw_unit: N, unit: N}
  - {header: Hardness mean (N), term: tablet.hardness, qualifier: mean, raw_unit: N, unit: N}
  - {header: Hardness max (N), term: tablet.hardness, qualifier: greatest, raw_unit: N, unit: N}
  - {header: Assay (% of label), term: assay, raw_unit: "% of label claim", unit: "%{LC}"}
  - {header: Dissolution 30 min (%), term: dissolution, qualifier: mean, raw_unit: "%", unit: "%"}
  - {header: Impurity A (%), term: impurity.named, qualifier: A, raw_unit: "%", unit: "%"}
  - {header: Analyst, ignored: "persons are not shared in this pilot"}
"""

PROCESS_MAPPING = """\
source: press
version: 1
shape: row_a_batch
decimal_mark: "."
zone: Europe/Zurich
rules:
  - {header: Batch, field: batch}
  - {header: Product, field: product}
  - {header: Main force (kN), term: press.force.main, qualifier: mean, role: PV, raw_unit: kN, unit: kN}
  - {header: Dissolution (%), term: dissolution, qualifier: mean, raw_unit: "%", unit: "%"}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """A product of the demo: the CMO's code, a sponsor's name for it, how many batches."""

    code: str
    name: str
    batches: int
    first: int


def _rows(product: Product, seed: int) -> list[list[str]]:
    chance = np.random.default_rng(seed)
    rows = []
    for position in range(product.batches):
        number = product.first + position
        mean = 92 + 6 * chance.standard_normal()
        rows.append(
            [
                f"B{number}",
                product.code,
                f"2026-{1 + position % 9:02d}-{1 + position % 28:02d} 0{6 + position % 3}:15",
                "480000",
                f"DS-{100 + position // 4}",
                f"{mean - 9:.1f}",
                f"{mean:.1f}",
                f"{mean + 8:.1f}",
                f"{100 + 0.8 * chance.standard_normal():.2f}",
                f"{91 + 2 * chance.standard_normal():.1f}",
                "<0.05" if position % 5 == 0 else f"{0.08 + 0.02 * chance.random():.3f}",
                f"analyst-{position % 3}",
            ]
        )
    return rows


HEADERS = (
    "Batch",
    "Product",
    "Start",
    "Tablets",
    "Substance lot",
    "Hardness min (N)",
    "Hardness mean (N)",
    "Hardness max (N)",
    "Assay (% of label)",
    "Dissolution 30 min (%)",
    "Impurity A (%)",
    "Analyst",
)


def laboratory_table(products: list[Product], *, corrected: bool = False) -> bytes:
    """The laboratory's table, with faults planted in it; `corrected` repairs one cell."""
    rows = [row for seed, product in enumerate(products) for row in _rows(product, seed + 7)]
    # A spreadsheet's locale ate one number, two columns were exchanged in one row, one assay is
    # mistyped until the corrected file comes.
    rows[3][8] = "1.004.812"
    rows[5][5], rows[5][7] = rows[5][7], rows[5][5]
    rows[7][8] = "100.21" if corrected else "10.02"
    # One impurity above its criterion, one batch softer than its action limit.
    rows[10][10] = "0.112"
    rows[12][5:8] = ["60.1", "67.9", "74.8"]
    return _csv([list(HEADERS), *rows])


def process_table(products: list[Product]) -> bytes:
    """The press's table; it repeats one result of the laboratory, and lost two of them."""
    chance = np.random.default_rng(99)
    lines = [["Batch", "Product", "Main force (kN)", "Dissolution (%)"]]
    for seed, product in enumerate(products):
        for position, row in enumerate(_rows(product, seed + 7)):
            force = f"{14 + chance.standard_normal():.2f}"
            lines.append([row[0], row[1], force, "#N/A" if position in {4, 9} else row[9]])
    return _csv(lines)


def _csv(rows: list[list[str]]) -> bytes:
    out = io.StringIO(newline="")
    csv.writer(out).writerows(rows)
    return out.getvalue().encode()
