"""Which time a column tells, for a proposal: a field with its format, or a question with its reason.

A column that holds times, or is named for them, is never a quantity because its name is like one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC

import numpy as np

from fedbatch.mapping.counted_times import COUNTED
from fedbatch.mapping.instants import read_instants
from fedbatch.mapping.time_forms import (
    TimeForms,
    find_count,
    find_forms,
    is_elapsed_name,
    is_of_day,
    is_plain_name,
    is_time_name,
)
from fedbatch.mapping.times import TimeReader
from fedbatch.series.arrow import arrow, one_array
from fedbatch.series.blocks import Floats

__all__ = ["TIME_FIELDS", "TimeRole", "find_role"]

TIME_FIELDS: tuple[tuple[str, frozenset[str]], ...] = (
    ("batch.start", frozenset({"start", "begin", "beginn", "startdate", "starttime"})),
    ("batch.end", frozenset({"end", "finish", "ende", "enddate", "endtime"})),
    ("sample.drawn", frozenset({"drawn", "sampled", "samplingdate", "sampletime"})),
    ("observed_at", frozenset({"timestamp", "time", "datetime", "date", "observed"})),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeRole:
    """The field of a time, or the question which; `formats` are those that every text fits."""

    field: str = ""
    question: str = ""
    evidence: str = ""
    formats: tuple[str, ...] = ()


def find_role(texts: Sequence[str], words: Sequence[str], unit: str) -> TimeRole | None:
    """What time a column tells, None where it is none.

    Args:
        texts: of its rows.
        words: of its header, what stands in brackets left out.
        unit: as the table states it.
    """
    filled = list(dict.fromkeys(text.strip() for text in texts if text.strip()))
    forms = _forms_of(texts, filled, words, unit)
    if forms is not None:
        return _role_of(forms, filled, words)
    if is_elapsed_name(words, unit) or is_elapsed_name([*words, unit.lower()], unit):
        question = f"elapsed, in {unit} from `elapsed.from`? or ignored with a reason"
        return TimeRole(question=question)
    if is_time_name(words) and filled:
        return TimeRole(question=_unread(filled))
    return None


def _forms_of(
    texts: Sequence[str], filled: Sequence[str], words: Sequence[str], unit: str
) -> TimeForms | None:
    """The formats under which every text is a time."""
    forms = find_forms(filled, is_named=is_time_name(words))
    if forms is None and is_time_name(words):
        count = find_count(_numbers(texts), words, unit)
        forms = TimeForms(orders=((count,),)) if count else None
    if forms is None or not all(_fits(filled, order) for order in forms.orders):
        return None
    return forms


def _fits(texts: Sequence[str], formats: tuple[str, ...]) -> bool:
    reader = TimeReader(formats=formats, zone=UTC, zone_name="UTC", zone_basis="assumed")
    return not read_instants(one_array(arrow.array(texts, arrow.string())), reader)[1]


def _numbers(texts: Sequence[str]) -> Floats:
    found = np.full(len(texts), np.nan)
    for row, text in enumerate(texts):
        try:
            found[row] = float(text.replace(",", "."))
        except ValueError:
            continue
    return found


def _role_of(forms: TimeForms, filled: Sequence[str], words: Sequence[str]) -> TimeRole:
    name, shown = "".join(words), " and ".join(forms.formats)
    field = next((field for field, known in TIME_FIELDS if name in known), "")
    field = field or ("observed_at" if is_plain_name(words) else "")
    if forms.is_open or not field:
        asked = field or "observed_at, recorded_at, sample.drawn or another time"
        named = f"name {'one' if forms.is_open else 'it'} as time_format"
        return TimeRole(question=f"{asked}? its texts fit {shown}: {named}", formats=forms.formats)
    return TimeRole(field=field, evidence=_evidence(forms, filled), formats=forms.formats)


def _evidence(forms: TimeForms, filled: Sequence[str]) -> str:
    first = forms.formats[0]
    if first in COUNTED:
        return f"the header names a time, and its numbers rise as {COUNTED[first].meaning}"
    if forms.telling >= 0:
        told = filled[forms.telling]
        return f"every text fits {first}, and {told!r} no other order of day and month"
    if len(forms.formats) > 1:
        return f"every text fits {' or '.join(forms.formats)}"
    return f"every text fits {first} and no other format tried"


def _unread(filled: Sequence[str]) -> str:
    """What to ask of a column that is named for times and whose texts are none that are known."""
    if all(map(is_of_day, filled)):
        return (
            f"times of day alone, such as {filled[0]!r}: a time needs its date in the same column; "
            "ignored with a reason?"
        )
    if not np.isnan(_numbers(filled)).any():
        return (
            f"elapsed, from `elapsed.from` and in which unit? its numbers, such as {filled[0]}, are "
            "neither Unix times nor days of a spreadsheet that rise; or ignored with a reason"
        )
    return (
        f"observed_at? no one format that is known fits its texts, such as {filled[0]!r}: "
        "name a time_format, or ignored with a reason"
    )
