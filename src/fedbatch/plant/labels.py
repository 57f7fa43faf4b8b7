"""What is wrong in the world, and what only looks so: the answers, kept out of every source.

`expected` names rules whose finding the fault should lead to, `must_not` rules whose finding there
would be false, `not_yet` what an answer needs that is not built: neither found nor missed.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from fedbatch.plant.culture import FLUSH_DAY
from fedbatch.plant.faults import Stretch, fault_stretch
from fedbatch.plant.schedule import HOUR_S, Fault, PlannedBatch
from fedbatch.plant.signals import ANTIFOAM_AGE, SPIKE_DAY

__all__ = ["Label", "label_batch", "plain_label"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """A fault (`fault` 1 to 6) or a look-alike (`fault` 0) with the findings it should lead to.

    Instants are aware, in UTC; `first_detectable` is None where nothing may be detected. `step` is
    a step of the step table, `parameters` are codes of `agreed_parameters`.
    """

    id: str
    fault: int
    batch: str
    step: str
    parameters: tuple[str, ...]
    from_: datetime
    to: datetime
    first_detectable: datetime | None
    expected: tuple[str, ...] = ()
    must_not: tuple[str, ...] = ()
    not_yet: tuple[str, ...] = ()
    shows: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    step: str
    parameters: tuple[str, ...]
    expected: tuple[str, ...]
    must_not: tuple[str, ...] = ()
    not_yet: tuple[str, ...] = ()
    shows: str


FAULTS = {
    Fault.PROBE_DRIFT: _Answer(
        step="PRODUCTION",
        parameters=("PH", "PH-OFF"),
        expected=("reconcile.mismatch",),
        must_not=("limit.excursion of PH",),
        shows="PH stays on its set-point while PH-OFF − PH grows by 0.03 a day; "
        "PH steps up when the probe is re-standardised",
    ),
    Fault.COARSE_BAND: _Answer(
        step="GROWTH",
        parameters=("PH", "PH-MAX"),
        expected=("sampling.too_coarse", "reconcile.mismatch"),
        must_not=("series.gap",),
        shows="pH 0.15 high for 40 min; no archived point shows it, the MES maximum does",
    ),
    Fault.LINK_DOWN: _Answer(
        step="PRODUCTION",
        parameters=(),  # the whole link: every tag of the train
        expected=("series.gap", "data.late", "series.duplicate", "series.conflict"),
        must_not=("limit.excursion",),
        shows="I/O Timeout, silence for 3 h 10, then late points out of order, two minutes doubled; "
        "an interpolated export made in between draws a line",
    ),
    Fault.LATE_CLICK: _Answer(
        step="BIOREACTOR",
        parameters=(),
        expected=("window.conflict",),
        must_not=("any point of the other sponsor's batch shared",),
        shows="the MES ends the step 5 h late; the unit tag already carries the next batch",
    ),
    Fault.OXYGEN_LIMIT: _Answer(
        step="PRODUCTION",
        parameters=("DO", "DO-OUT", "O2", "LAC", "GLC", "TITRE"),
        expected=("limit.excursion",),
        not_yet=("deviation",),
        shows="DO-OUT 100 %, DO falls to 18 % in 50 min and is 95 min under 20 %; lactate +1.5 g/L, "
        "glucose lower the next morning, titre −8 % at the end",
    ),
    Fault.WEAK_PUMP: _Answer(
        step="FEED",
        parameters=("FEED", "WEIGHT"),
        expected=("balance.mismatch",),
        not_yet=("batch monitoring of VCD and OSM",),
        shows="FEED counts 42 L a day, WEIGHT rises by 36; osmolality and cells are low",
    ),
}


def _utc(instant: int) -> datetime:
    return datetime.fromtimestamp(instant, UTC)


def label_batch(batch: PlannedBatch) -> list[Label]:
    """Return the labels of a batch: its faults, then its look-alikes."""
    return [*_fault_labels(batch), *_look_alikes(batch)]


def _fault_labels(batch: PlannedBatch) -> Iterable[Label]:
    for number, fault in FAULTS.items():
        stretch = fault_stretch(batch, number)
        if stretch is None:
            continue
        yield Label(
            id=f"{batch.number}/fault-{int(number)}",
            fault=int(number),
            batch=batch.number,
            step=fault.step,
            parameters=fault.parameters,
            from_=_utc(stretch.start),
            to=_utc(stretch.stop),
            first_detectable=_utc(_detectable(batch, number, stretch)),
            expected=fault.expected,
            must_not=fault.must_not,
            not_yet=fault.not_yet,
            shows=fault.shows,
        )


def _detectable(batch: PlannedBatch, number: Fault, stretch: Stretch) -> int:
    """When the first sign can stand in a source."""
    if number is Fault.PROBE_DRIFT:
        return batch.instant(batch.sample_ages[9])
    if number is Fault.COARSE_BAND:
        # The MES gives the extremes of a phase once it has ended.
        return batch.shift_at[0]
    if number is Fault.OXYGEN_LIMIT:
        return stretch.start + 10 * 60
    if number is Fault.WEAK_PUMP:
        # A day of feed is the first that can be weighed.
        return stretch.start + batch.scaled_s(12 * HOUR_S)
    return stretch.start


def _look_alikes(batch: PlannedBatch) -> Iterable[Label]:
    minute = 60
    spike = batch.instant(batch.dose_ages[SPIKE_DAY - 1])
    antifoam = batch.instant(ANTIFOAM_AGE)
    flush = batch.instant(batch.sample_ages[FLUSH_DAY])
    inoculation = batch.inoculation_at
    rows: tuple[tuple[str, str, tuple[str, ...], int, int, tuple[str, ...], str], ...] = (
        (
            "alkaline-feed",
            "PRODUCTION",
            ("PH",),
            spike,
            spike + 10 * minute,
            ("limit.excursion",),
            "pH spike shorter than the limit's persistence",
        ),
        (
            "antifoam",
            "PRODUCTION",
            ("DO",),
            antifoam,
            antifoam + 10 * minute,
            ("limit.excursion",),
            "oxygen dips when antifoam goes in, as it does a little at every sample",
        ),
        (
            "sampling-step",
            "PRODUCTION",
            ("WEIGHT",),
            flush,
            flush + 10 * minute,
            ("limit.excursion", "balance.mismatch"),
            "the vessel is lighter after a sample with a flush",
        ),
        (
            "temperature-shift",
            "TEMP-SHIFT",
            ("TEMP",),
            *batch.shift_at,
            ("limit.excursion",),
            "temperature leaves the limits of growth because it should",
        ),
        (
            "flat-tag",
            "BIOREACTOR",
            ("PH-SP", "DO-SP"),
            inoculation,
            batch.end_at,
            ("series.gap",),
            "a tag within its dead band archives one point in 8 h",
        ),
        (
            "probe-warm-up",
            "MEDIUM-FILL",
            ("PH", "DO", "TEMP"),
            batch.fill_at,
            inoculation,
            ("limit.excursion",),
            "probes read anything before inoculation, which is outside the batch's window",
        ),
        (
            "click",
            "BIOREACTOR",
            (),
            inoculation - 5 * minute,
            inoculation + 5 * minute,
            ("window.conflict",),
            "the MES start is at most 5 min off the unit tag",
        ),
    )
    for name, step, parameters, start, stop, must_not, shows in rows:
        yield Label(
            id=f"{batch.number}/{name}",
            fault=0,
            batch=batch.number,
            step=step,
            parameters=parameters,
            from_=_utc(start),
            to=_utc(stop),
            first_detectable=None,
            must_not=must_not,
            shows=shows,
        )


def plain_label(label: Label) -> dict[str, object]:
    """Return a label as JSON takes it, instants as ISO 8601 texts."""
    plain: dict[str, object] = {}
    for name, value in asdict(label).items():
        stands = value.isoformat() if isinstance(value, datetime) else value
        plain[name.rstrip("_")] = list(stands) if isinstance(stands, tuple) else stands
    return plain
