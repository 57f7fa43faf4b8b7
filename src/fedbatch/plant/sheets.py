"""The sheets that people keep: steps, batches, samples; each is written whole, as people do.

Semicolons and decimal commas, local time without a zone: what a spreadsheet in Zurich writes.
"""

import io
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from openpyxl import Workbook

from fedbatch.plant.faults import fault_stretch
from fedbatch.plant.samples import COLUMNS, Sample
from fedbatch.plant.schedule import HOUR_S, ZONE, Fault, PlannedBatch
from fedbatch.plant.signals import Signals
from fedbatch.plant.tags import TAGS, UNITS, vessel_name

__all__ = [
    "Click",
    "batch_sheet",
    "click_steps",
    "extremes_sheet",
    "sample_sheet",
    "sample_workbook",
    "step_sheet",
    "unit_tag_table",
]

OPERATION = "BIOREACTOR"
OPERATORS = ("rw", "jm", "ps", "db", "ek")
PLANNED_L = "2000"
# Most clicks come within five minutes of what they record.
CLICK_S = 270
EXTREMES = ("PH.PV", "DO.PV", "TEMP.PV")


@dataclass(frozen=True, slots=True, kw_only=True)
class Click:
    """A step as the MES has it: what really happened, and what was clicked."""

    batch: PlannedBatch
    level: str
    step: str
    start: int
    stop: int
    clicked_start: int
    clicked_stop: int
    operator: str


def click_steps(batch: PlannedBatch) -> list[Click]:
    """Return the steps of a batch with their clicked times.

    A boundary that two steps share is one click.
    """
    chance = batch.chance(5)
    real = _real_steps(batch)
    clicks = {
        instant: _clicked(instant, float(chance.uniform(-CLICK_S, CLICK_S)))
        for instant in sorted({edge for _, _, *edges in real for edge in edges})
    }
    if chance.random() < 1 / 3:
        clicks[batch.shift_at[1]] += batch.scaled_s(HOUR_S * float(chance.uniform(1, 3))) // 60 * 60
    late = fault_stretch(batch, Fault.LATE_CLICK)
    if late is not None:
        clicks[late.start] += late.stop - late.start
    return [
        Click(
            batch=batch,
            level=level,
            step=step,
            start=start,
            stop=stop,
            clicked_start=clicks[start],
            clicked_stop=clicks[stop],
            operator=OPERATORS[int(chance.integers(len(OPERATORS)))],
        )
        for level, step, start, stop in real
    ]


def _clicked(instant: int, off_s: float) -> int:
    return round((instant + off_s) / 60) * 60


def _real_steps(batch: PlannedBatch) -> list[tuple[str, str, int, int]]:
    shift_start, shift_stop = batch.shift_at
    fed_from = batch.instant(batch.dose_ages[batch.product.feed_day - 1])
    fed_until = batch.instant(batch.dose_ages[-1] + 0.5)
    return [
        ("operation", "MEDIUM-FILL", batch.fill_at, batch.fill_at + batch.scaled_s(4 * HOUR_S)),
        ("operation", OPERATION, batch.inoculation_at, batch.end_at),
        ("phase", "INOC-TRANSFER", batch.inoculation_at, batch.anchor_at),
        ("phase", "GROWTH", batch.anchor_at, shift_start),
        ("phase", "FEED", fed_from, fed_until),
        ("phase", "TEMP-SHIFT", shift_start, shift_stop),
        ("phase", "PRODUCTION", shift_stop, batch.harvest_at),
        ("phase", "END", batch.harvest_at, batch.end_at),
    ]


def _local(instant: int) -> str:
    return datetime.fromtimestamp(instant, ZONE).strftime("%d.%m.%Y %H:%M")


def _utc(instant: int) -> str:
    return datetime.fromtimestamp(instant, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _semicolons(rows: Iterable[Sequence[str]]) -> bytes:
    return "".join(";".join(row) + "\r\n" for row in rows).encode("utf-8-sig")


def step_sheet(clicks: Sequence[Click], instant: int) -> bytes:
    """Write the step table as clicked by an instant; a step that runs has no end."""
    header = ["Batch", "Product", "Unit", "Level", "Step", "Start", "End", "Operator"]
    rows = [
        [
            click.batch.number,
            click.batch.product.code,
            vessel_name(click.batch.train),
            click.level,
            click.step,
            _local(click.clicked_start),
            _local(click.clicked_stop) if click.clicked_stop <= instant else "",
            click.operator,
        ]
        for click in clicks
        if click.clicked_start <= instant
    ]
    return _semicolons([header, *rows])


def batch_sheet(batches: Sequence[PlannedBatch], instant: int) -> bytes:
    """Write the batch list: planned, running or complete."""
    header = [
        "Batch",
        "Product",
        "Sponsor batch no.",
        "Train",
        "Unit",
        "Planned size (L)",
        "Start",
        "End",
        "State",
    ]
    return _semicolons([header, *(_batch_cells(batch, instant) for batch in batches)])


def _batch_cells(batch: PlannedBatch, instant: int) -> list[str]:
    has_begun, has_ended = batch.inoculation_at <= instant, batch.end_at <= instant
    return [
        batch.number,
        batch.product.code,
        batch.sponsor_number,
        str(batch.train),
        vessel_name(batch.train),
        PLANNED_L,
        _local(batch.inoculation_at) if has_begun else "",
        _local(batch.end_at) if has_ended else "",
        "complete" if has_ended else "running" if has_begun else "planned",
    ]


def unit_tag_table(batches: Sequence[PlannedBatch], instant: int) -> bytes:
    """Write which batch id each reactor's tag carried, exact to the second, in UTC."""
    lines = ["Unit,Batch,State,From (UTC),To (UTC)"]
    for batch in batches:
        for state, start, stop in (
            ("PREPARATION", batch.fill_at, batch.inoculation_at),
            ("PRODUCTION", batch.inoculation_at, batch.end_at),
        ):
            if start <= instant:
                ended = _utc(stop) if stop <= instant else ""
                cells = [vessel_name(batch.train), batch.number, state, _utc(start), ended]
                lines.append(",".join(cells))
    return ("\r\n".join(lines) + "\r\n").encode()


def extremes_sheet(clicks: Sequence[Click], signals: Mapping[int, Signals], instant: int) -> bytes:
    """Write least, mean and greatest reading of each finished phase, as the control system saw them.

    These know nothing of dead bands: every scan counts.
    """
    header = ["Batch", "Unit", "Step", "Parameter", "Unit of measure"]
    rows = [
        cells
        for click in clicks
        if click.level == "phase" and click.clicked_stop <= instant
        for cells in _extremes(click, signals[click.batch.index])
    ]
    return _semicolons([[*header, "Minimum", "Mean", "Maximum", "Recorded"], *rows])


def _extremes(click: Click, signals: Signals) -> Iterable[list[str]]:
    first, stop = signals.scan(click.start), signals.scan(click.stop)
    for tag in TAGS:
        if tag.suffix not in EXTREMES:
            continue
        read = signals.quanta[tag.suffix][first:stop] / 10**tag.decimals
        yield [
            click.batch.number,
            vessel_name(click.batch.train),
            click.step,
            tag.suffix.partition(".")[0],
            UNITS[tag.unit],
            *(_comma(f"{figure:.{tag.decimals}f}") for figure in _figures(read)),
            _local(click.clicked_stop),
        ]


def _figures(read: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> tuple[float, ...]:
    return float(read.min()), float(read.mean()), float(read.max())


def _comma(text: str) -> str:
    return text.replace(".", ",")


# ---- samples

SAMPLE_HEADER = [
    "Sample No.",
    "Batch",
    "Day",
    "Before/after feed",
    "Logged",
    *(header for header, _ in COLUMNS),
    "Analyst",
    "Status",
]


def sample_sheet(
    samples: Sequence[Sample], numbers: Mapping[int, str], instant: int, *, day_origin: int
) -> bytes:
    """Write a train's sample sheet as it stands at an instant: semicolons, decimal commas."""
    rows = [
        [*cells[:5], *map(_comma, cells[5:])]
        for cells in _sample_rows(samples, numbers, instant, day_origin)
    ]
    return _semicolons([SAMPLE_HEADER, *rows])


def _sample_rows(
    samples: Sequence[Sample], numbers: Mapping[int, str], instant: int, day_origin: int
) -> Iterable[list[str]]:
    for sample in samples:
        if sample.logged_at > instant:
            continue
        drawing = sample.drawing
        yield [
            drawing.number,
            numbers[drawing.batch],
            str(drawing.day + day_origin),
            drawing.moment,
            _local(sample.logged_at),
            *(_result(sample, header, instant) for header, _ in COLUMNS),
            sample.analyst,
            _status(sample, instant),
        ]


def _result(sample: Sample, header: str, instant: int) -> str:
    known_at = sample.titre_at if header.startswith("Titre") else sample.results_at
    return sample.results.get(header, "") if known_at <= instant else ""


def _status(sample: Sample, instant: int) -> str:
    stages = (
        ("approved", sample.approved_at),
        ("checked", sample.checked_at),
        ("provisional", sample.results_at),
    )
    return next((word for word, since in stages if since <= instant), "registered")


def sample_workbook(
    samples: Sequence[Sample], numbers: Mapping[int, str], instant: int, *, day_origin: int
) -> bytes:
    """Write the same sheet as xlsx, with a title above the header and numbers as numbers."""
    book = Workbook()
    sheet = book.worksheets[0]
    sheet.title = "Samples"
    sheet.append(["In-process control, cell culture"])
    sheet.append([])
    sheet.append(SAMPLE_HEADER)
    for cells in _sample_rows(samples, numbers, instant, day_origin):
        logged = datetime.strptime(cells[4], "%d.%m.%Y %H:%M")  # noqa: DTZ007 - a cell has no zone
        figures = [float(cell) if cell else None for cell in cells[5:-2]]
        sheet.append([*cells[:2], int(cells[2]), cells[3], logged, *figures, *cells[-2:]])
        sheet.cell(sheet.max_row, 5).number_format = "dd.mm.yyyy hh:mm"
    out = io.BytesIO()
    book.save(out)
    return _without_clock(out.getvalue())


def _without_clock(workbook: bytes) -> bytes:
    """Take out the hour of saving, which would make equal sheets differ."""
    out = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(workbook)) as old,
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for name in old.namelist():
            content = old.read(name)
            if name == "docProps/core.xml":
                content = CORE.encode()
            new.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), content)
    return out.getvalue()


CORE = (
    '<cp:coreProperties xmlns:cp="http://schemas.openxmlformats.org/package/2006/metadata/'
    'core-properties" xmlns:dc="http://purl.org/dc/elements/1.1/">'
    "<dc:creator>laboratory</dc:creator></cp:coreProperties>"
)
