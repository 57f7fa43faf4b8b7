"""A world: the plant's files as they stand at any instant, and the answers to what is in them.

Everything follows from (pack, seed, start, days): the whole future is worked out when a world is
made, and `write_until` shows as much of it as has happened. There is no clock and no state but the
files, so a world made again goes on where another stopped.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Literal

from fedbatch.errors import InputError
from fedbatch.plant.culture import Culture, grow
from fedbatch.plant.faults import fault_stretch
from fedbatch.plant.historian import (
    Archive,
    Row,
    Stretched,
    archive_rows,
    interpolated_table,
    render_archive,
)
from fedbatch.plant.labels import Label, label_batch, plain_label
from fedbatch.plant.products import ANTIBODY, SECOND, Parameter, agreed_parameters
from fedbatch.plant.samples import Sample, analyse, plan_drawings
from fedbatch.plant.schedule import DAY_S, Fault, PlannedBatch, plan_batches
from fedbatch.plant.sheets import (
    Click,
    batch_sheet,
    click_steps,
    extremes_sheet,
    sample_sheet,
    sample_workbook,
    step_sheet,
    unit_tag_table,
)
from fedbatch.plant.signals import Signals, idle_signals, read_batch
from fedbatch.plant.tags import COARSE_PH, TAGS, tag_name

__all__ = ["AgreedTag", "Party", "World", "make_world"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """Who takes part: its role, its zone, and the CMO's code of the product it owns."""

    id: str
    name: str
    role: str
    zone: str
    product: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreedTag:
    """A tag as a mapping and a series would describe it; the unit is UCUM, intervals ISO 8601.

    `dead_band_in` names batches during which the tag was set up otherwise (fault 2). `code` is the
    parameter of `World.parameters` that the tag measures, "" where no agreement names it.
    """

    name: str
    train: int
    term: str
    role: Literal["PV", "SP", "OUT"]
    unit: str
    decimals: int
    dead_band: str
    longest_interval: str
    between: Literal["step", "linear"]
    model: Literal["as_archived"]
    code: str
    position: str
    dead_band_in: Mapping[str, str]


PARTIES = (
    Party(id="cmo-a", name="CMO A", role="CMO", zone="Europe/Zurich"),
    Party(
        id="sponsor-1",
        name="Sponsor 1",
        role="sponsor",
        zone="Europe/Zurich",
        product=ANTIBODY.code,
    ),
    Party(
        id="sponsor-2", name="Sponsor 2", role="sponsor", zone="Europe/Zurich", product=SECOND.code
    ),
)


@dataclass(frozen=True, kw_only=True)
class World:
    """A pack's world from `start` to `end`.

    `batches` are those shown, in order of their medium fill; `parameters` and `tags` are what
    agreements and mappings need to know; `labels` are the answers, which no source holds.
    """

    pack: str
    start: datetime
    end: datetime
    parties: tuple[Party, ...]
    batches: tuple[PlannedBatch, ...]
    labels: tuple[Label, ...]
    parameters: tuple[Parameter, ...]
    tags: tuple[AgreedTag, ...]
    cultures: Mapping[int, Culture] = field(repr=False)
    signals: Mapping[int, Signals] = field(repr=False)
    samples: Mapping[int, Sequence[Sample]] = field(repr=False)
    clicks: Sequence[Click] = field(repr=False)
    local_trains: frozenset[int]

    @cached_property
    def _rows(self) -> dict[int, list[Row]]:
        trains = sorted({batch.train for batch in self.batches})
        return {train: self._train_rows(train) for train in trains}

    @cached_property
    def _archives(self) -> dict[int, Archive]:
        return {
            train: render_archive(rows, train, is_local=train in self.local_trains)
            for train, rows in self._rows.items()
        }

    def _train_rows(self, train: int) -> list[Row]:
        batches = [batch for batch in self.batches if batch.train == train]
        free_from = int(self.start.timestamp())
        rows: list[Row] = []
        for batch in batches:
            signals = self.signals[batch.index]
            rows += _idle_rows(free_from, batch.fill_at)
            rows += archive_rows(_stretched(batch, signals))
            free_from = signals.stop
        rows += _idle_rows(free_from, int(self.end.timestamp()))
        rows.sort()
        return rows

    def write_until(self, folder: Path, instant: datetime) -> None:
        """Bring the source files in `folder` to an instant.

        Historian files only ever grow, by whole lines; sheets are written whole and replaced at
        once. Called again for the same instant it changes nothing.

        Raises:
            InputError: a historian file is not the beginning of this world's, or is further on.
        """
        now = int(instant.timestamp())
        for train, archive in self._archives.items():
            _append(folder / "historian" / f"train{train}.csv", archive.until(now))
        for name, content in self._sheets(now).items():
            _replace(folder / name, content)

    def _sheets(self, now: int) -> dict[str, bytes]:
        sheets = {
            "mes/batches.csv": batch_sheet(self.batches, now),
            "mes/steps.csv": step_sheet(self.clicks, now),
            "mes/step_values.csv": extremes_sheet(self.clicks, self.signals, now),
            "unit_tag/units.csv": unit_tag_table(self.batches, now),
        }
        numbers = {batch.index: batch.number for batch in self.batches}
        for train in self._rows:
            samples = self._train_samples(train)
            # Train 1 calls the day of inoculation day 0, train 2 calls it day 1.
            origin = train - 1
            sheets[f"lims/samples_train{train}.csv"] = sample_sheet(
                samples, numbers, now, day_origin=origin
            )
            sheets[f"workbooks/samples_train{train}.xlsx"] = sample_workbook(
                samples, numbers, now, day_origin=origin
            )
        return sheets

    def _train_samples(self, train: int) -> list[Sample]:
        found = [
            sample
            for batch in self.batches
            if batch.train == train
            for sample in self.samples[batch.index]
        ]
        return sorted(found, key=lambda sample: sample.drawing.drawn_at)

    def export_interpolated(
        self, folder: Path, batch: str, *, until: datetime | None = None
    ) -> Path:
        """Write the wide export of a batch, one row a minute, and return its path.

        Only what the historian held at `until` (default: `end`) is drawn.

        Raises:
            InputError: no such batch.
        """
        found = self.find_batch(batch)
        known = self.end if until is None else until
        rows = self._rows[found.train]
        path = folder / "exports" / f"{batch}_interpolated.csv"
        _replace(path, interpolated_table(found, rows, int(known.timestamp())))
        return path

    def find_batch(self, number: str) -> PlannedBatch:
        """Return a batch by the plant's number.

        Raises:
            InputError: no such batch.
        """
        for batch in self.batches:
            if batch.number == number:
                return batch
        raise InputError("a batch of this world", where="batch", found=number)

    def write_labels(self, path: Path) -> None:
        """Write the answers as JSON; the file belongs outside every source folder."""
        plain = [plain_label(label) for label in self.labels]
        _replace(path, (json.dumps(plain, indent=1, ensure_ascii=False) + "\n").encode())


def _idle_rows(start: int, stop: int) -> list[Row]:
    idle = idle_signals(start, stop)
    return archive_rows(Stretched(signals=idle, snapshots=(), link_down=None, is_coarse=False))


def _stretched(batch: PlannedBatch, signals: Signals) -> Stretched:
    down = fault_stretch(batch, Fault.LINK_DOWN)
    edges = [batch.inoculation_at, *([down.stop] if down else [])]
    return Stretched(
        signals=signals,
        snapshots=tuple(signals.scan(edge) for edge in edges),
        link_down=down,
        is_coarse=Fault.COARSE_BAND in batch.faults,
    )


def _append(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    size = path.stat().st_size if path.exists() else 0
    if size > len(content):
        raise InputError("a file that is not further on", where=str(path), found=f"{size} bytes")
    with path.open("a+b") as file:
        file.seek(max(0, size - TAIL_BYTES))
        if file.read() != content[max(0, size - TAIL_BYTES) : size]:
            raise InputError("the beginning of this world's file", where=str(path), found="another")
        file.write(content[size:])


# The end of a file says whose it is; reading a fortnight to add a line would be waste.
TAIL_BYTES = 4_096


def _replace(path: Path, content: bytes) -> None:
    if path.exists() and path.read_bytes() == content:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.draft")
    draft.write_bytes(content)
    draft.replace(path)


def make_world(
    pack: str,
    *,
    seed: int,
    start: datetime,
    days: float | None = None,
    without: Collection[str] = (),
    local_trains: Collection[int] = (2,),
) -> World:
    """Work out a pack's world: pilot, demo or isolation.

    Args:
        pack: the name of the pack.
        seed: equal seeds give equal worlds.
        start: aware instant at which the world begins, six hours (of a full culture) before the
            first medium fill.
        days: length of a culture; 14 if None, at least 2. Onsets of faults shrink with it.
        without: ids of sponsors whose batches are left out, numbers staying the same.
        local_trains: trains whose historian file is written in local time; others in UTC.

    Raises:
        InputError: no such pack, a start without a zone, too short a culture, or no batch left.
    """
    planned = plan_batches(pack, seed=seed, start=start, days=days)
    shown = tuple(batch for batch in planned if batch.product.sponsor not in without)
    if not shown:
        raise InputError("at least one sponsor with batches", where="without", found=str(without))
    cultures = {batch.index: grow(batch) for batch in planned}
    drawings = plan_drawings(planned, cultures)
    end = max(batch.end_at + batch.scaled_s(3 * DAY_S) for batch in planned)
    signals = {batch.index: read_batch(batch, cultures[batch.index]) for batch in shown}
    return World(
        pack=pack,
        start=start.astimezone(UTC),
        end=datetime.fromtimestamp(end, UTC),
        parties=tuple(party for party in PARTIES if party.id not in without),
        batches=shown,
        labels=tuple(label for batch in shown for label in label_batch(batch)),
        parameters=_parameters(shown),
        tags=_tags(shown),
        cultures=cultures,
        signals=signals,
        samples={
            batch.index: analyse(batch, cultures[batch.index], signals[batch.index], drawings)
            for batch in shown
        },
        clicks=[click for batch in shown for click in click_steps(batch)],
        local_trains=frozenset(local_trains),
    )


def _parameters(batches: Sequence[PlannedBatch]) -> tuple[Parameter, ...]:
    products = {batch.product.code: batch.product for batch in batches}
    return tuple(
        parameter for product in products.values() for parameter in agreed_parameters(product)
    )


def _tags(batches: Sequence[PlannedBatch]) -> tuple[AgreedTag, ...]:
    return tuple(
        AgreedTag(
            name=tag_name(train, tag),
            train=train,
            term=tag.term,
            role=tag.role,
            unit=tag.unit,
            decimals=tag.decimals,
            dead_band=tag.band,
            longest_interval="PT8H",
            between=tag.between,
            model="as_archived",
            code=tag.code,
            position=tag.position,
            dead_band_in={
                batch.number: f"{COARSE_PH / 100:.2f}"
                for batch in batches
                if batch.train == train
                and Fault.COARSE_BAND in batch.faults
                and tag.suffix == "PH.PV"
            },
        )
        for train in sorted({batch.train for batch in batches})
        for tag in TAGS
    )
