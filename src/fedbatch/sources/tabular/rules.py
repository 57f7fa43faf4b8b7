"""The rules of this source: what a file or table may be found to be, each with its severity."""

from collections import Counter
from dataclasses import dataclass, field
from itertools import starmap

from fedbatch.mapping.tables import Scheme
from fedbatch.standard.findings import Effect, Finding, Place

__all__ = ["FINDINGS_PER_RULE_MAX", "RULES", "Log", "Rule"]

# A person reads findings: a million blank rows tell no more than a thousand. The rest is counted.
FINDINGS_PER_RULE_MAX = 1_000


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule id, its severity (1 to 3, 4 = information) and its meaning in one line."""

    id: str
    severity: int
    meaning: str


RULES: tuple[Rule, ...] = tuple(
    starmap(
        Rule,
        (
            ("file.truncated", 1, "The file breaks off inside its last row, which is held back."),
            ("file.unended_line", 4, "The last line has no line end: its last value may be cut."),
            ("file.kind_mismatch", 4, "The content is of another kind than the name says."),
            ("table.layout", 4, "What of the layout was detected, not stated."),
            ("table.no_rows", 3, "There is a header and no row of data."),
            ("table.blank_row", 4, "A row holds no value at all and is left out."),
            ("table.ragged", 2, "A row has more or fewer cells than there are headers."),
            ("table.duplicate_header", 2, "A header occurs twice in the same group."),
            ("table.blank_header", 3, "A column holds values and has no header."),
            ("table.whitespace_header", 4, "A header has spaces at its ends, or line breaks."),
            (
                "table.trailing_text",
                2,
                "A single text below the table, after a blank row, held back.",
            ),
            ("table.hidden_row", 4, "A row is hidden in the workbook; it is read all the same."),
            (
                "table.hidden_column",
                4,
                "A column is hidden in the workbook; it is read all the same.",
            ),
            (
                "table.merged_cell",
                3,
                "Merged cells: the value stands in the first, the rest is blank.",
            ),
            ("table.formula", 3, "A formula; the text is the value the workbook last stored."),
            ("table.error_cell", 2, "A spreadsheet error stands where a value should."),
            (
                "table.column_left_out",
                2,
                "A Parquet column of lists, structs or bytes has no texts and is left out.",
            ),
            ("table.time_cut", 3, "Times with parts of a microsecond are cut to microseconds."),
            ("table.date_range", 3, "A number shown as a date is no date of the calendar."),
            ("table.errors_invisible", 4, "This format's errors cannot be told from blank cells."),
        ),
    )
)
SEVERITY = {rule.id: rule.severity for rule in RULES}


@dataclass(slots=True)
class Log:
    """Collects the findings of one file or table, of each rule as many as a person would read."""

    file: str
    scheme: Scheme | None = None
    counts: Counter[str] = field(default_factory=Counter)
    kept: list[Finding] = field(default_factory=list)

    def add(
        self,
        rule: str,
        locator: str,
        *,
        found: str,
        expected: str,
        effect: Effect = "none",
        advice: str = "",
    ) -> None:
        self.counts[rule] += 1
        if self.counts[rule] > FINDINGS_PER_RULE_MAX:
            return
        place = Place(file=self.file, scheme=self.scheme or "", locator=locator)
        self.kept.append(
            Finding(
                rule=rule,
                severity=SEVERITY[rule],
                where=place,
                found=found,
                expected=expected,
                effect=effect,
                advice=advice,
            )
        )

    def findings(self) -> tuple[Finding, ...]:
        """All kept findings, then one for each rule that had more."""
        return (*self.kept, *(self.rest(rule) for rule in self.counts if self.surplus(rule)))

    def surplus(self, rule: str) -> int:
        return max(0, self.counts[rule] - FINDINGS_PER_RULE_MAX)

    def rest(self, rule: str) -> Finding:
        return Finding(
            rule=rule,
            severity=SEVERITY[rule],
            where=Place(file=self.file),
            found=f"{self.surplus(rule)} more of the same",
            expected=f"at most {FINDINGS_PER_RULE_MAX} to list",
        )
