"""The book of rules: stable dotted ids, severities from 1 to 4, findings rendered in one grammar."""

import re

import msgspec
import pytest

from fedbatch.standard.findings import Finding, Place
from fedbatch.standard.registry import RECORD_TYPES
from fedbatch.standard.rulebook import RULES, RULES_VERSION, finding


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_a_rule_has_a_dotted_id_a_severity_and_a_sentence(rule: object) -> None:
    found = msgspec.to_builtins(rule)
    assert RULES[found["id"]] is rule
    assert re.fullmatch(r"[a-z]+\.[a-z_]+", found["id"])
    assert found["severity"] in {1, 2, 3, 4}
    assert found["scope"] in {"source", "sharing", "agreement", "exchange"}
    assert found["checks"].endswith(".")


def test_the_rules_that_the_standard_names_and_software_runs_are_there() -> None:
    named = {
        "type.unknown", "time.ambiguous", "unit.unknown", "unit.implausible", "value.damaged",
        "order.min_mean_max", "clock.skew", "window.conflict", "limit.excursion", "limit.nesting",
        "reconcile.mismatch", "data.late", "data.missing", "counter.stuck", "counter.reset",
        "series.duplicate", "series.copied", "series.gap", "series.conflict", "balance.mismatch",
        "sampling.too_coarse",
    }  # fmt: skip
    assert named <= RULES.keys()
    assert RULES_VERSION


def test_a_finding_takes_its_severity_from_the_book() -> None:
    place = Place(file="lab.csv", locator="R7C2")
    found = finding(
        "value.damaged",
        place,
        found="1.4.2",
        expected="a number",
        effect="held_back",
        advice="Ask.",
    )
    assert found.severity == RULES["value.damaged"].severity == 1
    assert found.render() == "Expected a number at lab.csv R7C2, found '1.4.2'. Ask."


def test_a_finding_of_no_rule_cannot_be_made() -> None:
    with pytest.raises(KeyError):
        finding("no.rule", Place(), found="", expected="")


def test_a_place_in_a_record_is_rendered_by_type_key_and_path() -> None:
    place = Place(type="result", key=("b-21", "", "VCD"), path="/value")
    assert place.render() == "result b-21 VCD /value"
    assert Place().render() == ""


def test_findings_cross_as_bytes_and_come_back() -> None:
    found = finding("unit.unknown", Place(file="a"), found="U", expected="a unit")
    assert msgspec.json.decode(msgspec.json.encode(found), type=Finding) == found


def test_writers_are_roles_and_only_the_mapping_has_none() -> None:
    roles = {"sponsor", "CMO", "laboratory"}
    assert all(item.writers <= roles for item in RECORD_TYPES.values())
    assert [name for name, item in RECORD_TYPES.items() if not item.writers] == ["mapping"]
