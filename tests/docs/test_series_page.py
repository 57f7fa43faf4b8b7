"""docs/standard/series.md: its example is read, and its hash is what somebody else would compute."""

import hashlib
import json
import re
import struct
from pathlib import Path
from typing import Any

import pytest

from fedbatch.series.inline import decode_points
from fedbatch.series.segments import points_hash, read_segment, write_segment
from fedbatch.standard.canonical import parse
from fedbatch.standard.records import Clock, Points, SamplingModel, Series, SeriesParameter

PAGE = (Path(__file__).parents[2] / "docs/standard/series.md").read_text("utf-8")
EXAMPLE = re.search(r"```json\n(.*?)\n```", PAGE, re.DOTALL)
HASH = re.search(r"```\n([0-9a-f]{64})\n```", PAGE)
# Of the page's example: code, scale.
PARAMETERS = (("PH", 2), ("DO", 1), ("TEMP", 2))


def series() -> Series:
    return Series(
        version=1,
        series="se-4",
        batch="b-1",
        clock=Clock(zone="UTC", zone_basis="stated", precision="second"),
        precedence="live",
        parameters=tuple(
            SeriesParameter(
                code=code,
                role="PV",
                unit="1",
                raw_unit="1",
                between="linear",
                scale=scale,
                sampling_model=SamplingModel(model="raw"),
            )
            for code, scale in PARAMETERS
        ),
    )


def compact(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def by_the_page(record: dict[str, Any]) -> str:
    """The page's four steps, with nothing of the software but the record."""
    base = 1_772_435_700_000_000
    quality = dict(record["quality"])
    raw = dict(record["raw"])
    columns: dict[str, list[tuple[int, Any, int]]] = {}
    for at, (index, offset, number) in enumerate(
        zip(record["index"], record["offset"], record["scaled"], strict=True)
    ):
        columns.setdefault(f"{PARAMETERS[index][0]}.PV", []).append((base + offset, number, at))
    scales = {f"{code}.PV": scale for code, scale in PARAMETERS}
    found = hashlib.sha256()
    for name in sorted(columns):
        points = columns[name]
        found.update(compact([name, scales[name], len(points)]) + b"\n")
        found.update(b"".join(struct.pack("<q", time) for time, _, _ in points))
        found.update(b"".join(struct.pack("<q", number or 0) for _, number, _ in points))
        for row, (_, number, at) in enumerate(points):
            if number == "" or at in quality or at in raw:
                code = record["codes"][quality[at]] if at in quality else {}
                told = (code.get("quality", ""), code.get("quality_code", ""), raw.get(at, ""))
                found.update(compact([row, number, *told]) + b"\n")
    return found.hexdigest()


@pytest.fixture
def example() -> bytes:
    assert EXAMPLE is not None
    return EXAMPLE[1].encode()


def test_the_hash_on_the_page_is_that_of_its_example(example: bytes) -> None:
    block = decode_points(series(), [parse(example, Points)])
    assert HASH is not None
    assert points_hash(block) == by_the_page(json.loads(example)) == HASH[1]
    # The control: another number has another hash, by either way.
    other = example.replace(b"703", b"704")
    changed = decode_points(series(), [parse(other, Points)])
    assert points_hash(changed) == by_the_page(json.loads(other)) != HASH[1]


def test_a_segment_keeps_the_hash(example: bytes) -> None:
    block = decode_points(series(), [parse(example, Points)])
    content = write_segment(block, ledger="l-1", series="se-4", parameters=series().parameters)
    assert points_hash(read_segment(content, ledger="l-1", series="se-4")) == points_hash(block)
