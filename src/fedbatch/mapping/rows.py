"""The fields of a row: what columns and constants say of batch, sample, step and times."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from fedbatch.mapping.tables import Column, Table
from fedbatch.mapping.times import TimeProblem, TimeReader
from fedbatch.standard.mappings import Mapping, MappingRule
from fedbatch.standard.values import Time

__all__ = ["RowTexts", "owner_wanted", "read_rows"]

# Fields whose presence makes a result more than a batch's one value.
_DATING = frozenset(
    {
        "sample",
        "step",
        "observed_at",
        "recorded_at",
        "analysed",
        "analyst",
        "method",
        "instrument",
        "replicate",
        "attempt",
        "quality",
    }
)


@dataclass(slots=True, kw_only=True)
class RowTexts:
    """The texts of every field, a list a field; a constant stands in every row."""

    columns: dict[str, Column]
    rules: dict[str, MappingRule]
    constants: dict[str, str]
    count: int
    times: dict[tuple[str, str], Time | TimeProblem] = field(default_factory=dict)
    _lists: dict[str, Sequence[str]] = field(default_factory=dict)

    @property
    def is_bare(self) -> bool:
        """Whether rows say nothing of a result but its batch and value."""
        return not (_DATING & (self.columns.keys() | self.constants.keys()))

    def column(self, name: str) -> Column | None:
        """The column that feeds a field, if one does."""
        return self.columns.get(name)

    def rule(self, name: str) -> MappingRule:
        """The rule of the column that feeds a field."""
        return self.rules[name]

    def texts(self, name: str) -> Sequence[str]:
        """A field's text in each row; "" where nothing says it."""
        found = self._lists.get(name)
        if found is None:
            column = self.columns.get(name)
            constant = self.constants.get(name, "")
            found = column.texts if column is not None else [constant] * self.count
            self._lists[name] = found
        return found

    def text(self, name: str, row: int) -> str | None:
        """A field's text in a row, trimmed; None where it is blank."""
        return self.texts(name)[row].strip() or None

    def time(self, name: str, text: str, reader: TimeReader) -> Time | TimeProblem:
        """A field's text as a time; equal texts are read once."""
        found = self.times.get((name, text))
        if found is None:
            found = reader.read(text, self._form(name))
            self.times[name, text] = found
        return found

    def _form(self, name: str) -> str | None:
        """The format of a field's times: the source's own, else its rule's."""
        column, rule = self.columns.get(name), self.rules.get(name)
        own = column.time_format if column is not None else ""
        return own or (rule.time_format if rule is not None else None)

    def time_or_none(self, name: str, row: int, reader: TimeReader) -> Time | None:
        """A field's time in a row; None where it is blank or in doubt."""
        text = self.text(name, row)
        if text is None:
            return None
        found = self.time(name, text, reader)
        return found if isinstance(found, Time) else None


def owner_wanted(fields: Collection[str]) -> str:
    """What a row must name to be anybody's, by the fields of its mapping."""
    if {"equipment.from", "equipment.to"}.intersection(fields):
        return "the batch that the equipment was occupied by: a window says both"
    has_batch = bool({"batch", "batch.partner"}.intersection(fields))
    if "equipment" not in fields:
        return "a batch number"
    return "a batch number, or equipment and a time" if has_batch else "equipment and a time"


def read_rows(
    table: Table, assigned: Sequence[tuple[Column, MappingRule]], mapping: Mapping
) -> RowTexts:
    """The fields of a table's rows under its mapping."""
    fed = [(column, rule) for column, rule in assigned if rule.field is not None]
    return RowTexts(
        columns={rule.field: column for column, rule in fed if rule.field},
        rules={rule.field: rule for _, rule in fed if rule.field},
        constants={item.field: item.text for item in mapping.constants},
        count=len(table.rows),
    )
