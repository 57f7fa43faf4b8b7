"""Every rule by its stable id: what it checks, how severe its findings are, who judges (STANDARD S21).

*Source checks* need one source and no agreement; they run before the journal. *Sharing checks* run at
the CMO alone. *Agreement rules* run on both nodes over what was shared and must give the same there.
"""

from dataclasses import dataclass
from typing import Literal

from fedbatch.standard.findings import Effect, Finding, Place

__all__ = ["RULES", "RULES_VERSION", "Rule", "finding"]

# Rises with every change that can change a verdict; recorded with every finding.
RULES_VERSION = "1"

Scope = Literal["source", "sharing", "agreement", "exchange"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A rule: severity 1 (must be decided) to 3, 4 for information."""

    id: str
    severity: int
    scope: Scope
    checks: str


def _rule(id_: str, severity: int, scope: Scope, checks: str) -> tuple[str, Rule]:
    return id_, Rule(id=id_, severity=severity, scope=scope, checks=checks)


RULES: dict[str, Rule] = dict(
    (
        # ---- the file and its table
        _rule("file.truncated", 1, "source", "The last line of a text file is whole."),
        _rule("file.kind_mismatch", 4, "source", "A file's content is of the kind its name says."),
        _rule("file.row_vanished", 2, "source", "A file sent again still holds the rows it held."),
        _rule("table.blank_row", 4, "source", "A row holds at least one value."),
        _rule("table.several", 2, "source", "A file or sheet holds one table."),
        _rule("table.ragged", 2, "source", "A row has as many cells as there are headers."),
        _rule("table.duplicate_header", 2, "source", "Headers differ from one another."),
        _rule("table.whitespace_header", 3, "source", "A header is not blank."),
        _rule("table.hidden_row", 4, "source", "Rows of a sheet are shown, not hidden."),
        _rule("table.hidden_column", 4, "source", "Columns of a sheet are shown, not hidden."),
        _rule("table.merged_cell", 3, "source", "A cell stands alone, not merged with others."),
        _rule("table.formula", 3, "source", "A cell holds a value, not a formula."),
        _rule("table.error_cell", 2, "source", "A cell holds a value, not a spreadsheet error."),
        _rule(
            "table.errors_invisible", 4, "source", "The format tells error cells from blank ones."
        ),
        _rule("table.trailing_text", 4, "source", "Nothing but data follows the header."),
        # ---- the row
        _rule(
            "row.no_batch",
            1,
            "source",
            "A row says which batch, or which equipment, it belongs to.",
        ),
        _rule("row.duplicate", 3, "source", "A row stands once in a file."),
        _rule("row.repeated", 2, "source", "A key stands once where it names one row each."),
        _rule("row.incomplete", 1, "source", "A row names what its other cells are about."),
        _rule("row.conflict", 1, "source", "Rows of one batch agree about the batch."),
        _rule("batch.conflict", 1, "source", "Two sources agree about a batch, step or lot."),
        _rule("lot.two_products", 1, "agreement", "A lot is of one product."),
        # ---- the value
        _rule("type.unknown", 1, "source", "A value's text is of the kind the mapping says."),
        _rule("type.changed", 2, "source", "A column is of one kind from end to end."),
        _rule("type.mixed", 3, "source", "A column of numbers holds no other texts."),
        _rule("type.number_as_text", 3, "source", "A sheet holds its numbers as numbers."),
        _rule(
            "value.damaged", 1, "source", "A number is whole: no spreadsheet or locale broke it."
        ),
        _rule("value.mixed_marks", 2, "source", "A file has one mark before decimals."),
        _rule("value.ambiguous", 2, "source", "A mark stands before decimals, or parts thousands."),
        _rule("value.blank", 4, "source", "A column that is filled has no blank cells."),
        _rule("value.not_finite", 1, "source", "A number is finite, neither NaN nor infinite."),
        _rule("value.implausible", 3, "source", "A number lies in its term's indicative range."),
        _rule("unit.unknown", 1, "source", "A unit's text is one the units table knows."),
        _rule("unit.unusual", 3, "source", "A header's unit is one that its term has."),
        _rule("unit.implausible", 1, "source", "A cell's unit and the mapping's unit agree."),
        _rule(
            "unit.percent_format", 1, "source", "A cell shown as percent is mapped as a fraction."
        ),
        _rule("time.format", 1, "source", "A time's text has a format that the mapping names."),
        _rule("time.ambiguous", 1, "source", "A local time happens once."),
        _rule("time.zone", 3, "source", "A time in an hour when clocks change says its offset."),
        _rule("time.unknown", 3, "source", "A column of times has one form that is known."),
        _rule("time.unchecked", 4, "source", "Rows run along a column of times."),
        _rule("time.future", 2, "source", "A time of observation is not in the future."),
        _rule("clock.skew", 2, "source", "A source's clock is right within a day."),
        _rule("tag.unmapped", 2, "source", "A long table's tag is one the mapping names."),
        _rule("result.duplicate", 4, "source", "A result stands once in a file."),
        _rule("result.conflict", 1, "source", "A result that stands twice in a file is the same."),
        _rule("result.decided", 1, "source", "A source does not contradict a person's correction."),
        _rule("series.text", 3, "source", "A point of a series is a number."),
        _rule("order.min_mean_max", 2, "source", "Least ≤ mean ≤ greatest."),
        # ---- the series
        _rule("series.backwards", 2, "source", "Times of a source's rows do not fall."),
        _rule("series.duplicate", 3, "source", "A parameter has one point at a time."),
        _rule("file.replaced", 3, "source", "A file that is followed only grows."),
        _rule("series.blank", 3, "source", "A row of a series holds at least one value."),
        _rule("series.rounded", 3, "source", "Points told again have no fewer decimals."),
        _rule("series.held", 1, "source", "Every row of a batch's points is read."),
        _rule("series.copied", 2, "source", "Two columns are not equal throughout."),
        _rule("counter.stuck", 2, "source", "A counter grows while its machine runs."),
        _rule("counter.reset", 2, "source", "A counter does not fall within a batch."),
        # ---- sharing, at the CMO alone
        _rule("batch.no_agreement", 3, "sharing", "A batch belongs to an agreement."),
        _rule(
            "batch.no_maker_number", 3, "sharing", "A transcribed batch bears its maker's number."
        ),
        _rule("batch.two_agreements", 1, "sharing", "A batch belongs to one agreement only."),
        _rule("window.conflict", 1, "sharing", "The sources of an equipment window agree."),
        _rule("unit.not_agreed", 1, "sharing", "A value converts to the agreed unit."),
        # ---- agreement rules, on both nodes
        _rule("limit.excursion", 2, "agreement", "A value lies within the limits valid then."),
        _rule("limit.undecided", 3, "agreement", "A value decides the limits valid then."),
        _rule("limit.nesting", 1, "agreement", "NOR ⊆ PAR and alert ⊆ action ⊆ criterion."),
        _rule("series.gap", 3, "agreement", "Points follow each other as the sampling model says."),
        _rule("series.conflict", 2, "agreement", "Sources of one series say the same."),
        _rule("sampling.too_coarse", 2, "agreement", "Sampling is fine enough for the limits."),
        _rule("balance.mismatch", 2, "agreement", "What was counted and weighed agrees."),
        _rule("specification.fail", 1, "agreement", "A reportable result meets its criterion."),
        _rule("specification.undecided", 2, "agreement", "A result decides its criterion."),
        _rule("reconcile.mismatch", 2, "agreement", "Two sources of one result agree."),
        _rule("data.late", 3, "agreement", "Agreed data arrive by their due time."),
        _rule("data.missing", 2, "agreement", "Agreed data arrive."),
        _rule(
            "record.dependent", 2, "agreement", "What a corrected record led to is looked at again."
        ),
        _rule("record.not_agreed", 1, "agreement", "A record is one the agreement allows."),
        _rule("series.segment", 1, "agreement", "A segment holds the points its entry says."),
        _rule("record.malformed", 1, "agreement", "A record has its type's shape."),
        # ---- exchange
        _rule("exchange.fork", 1, "exchange", "A ledger has one history."),
        _rule("exchange.rollback", 1, "exchange", "A ledger never becomes shorter."),
        _rule("exchange.gap", 1, "exchange", "Entries lead to the signed root, without a gap."),
        _rule("exchange.clock", 3, "exchange", "The two nodes' clocks agree within two seconds."),
    )
)


def finding(
    rule: str,
    where: Place,
    *,
    found: str,
    expected: str,
    effect: Effect = "none",
    advice: str = "",
) -> Finding:
    """A finding of a rule in the book, with the rule's severity."""
    return Finding(
        rule=rule,
        severity=RULES[rule].severity,
        where=where,
        found=found,
        expected=expected,
        effect=effect,
        advice=advice,
    )
