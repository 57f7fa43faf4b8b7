"""The dictionary: the shared terms unchanged, every unit known, every id once."""

import csv
import re
from pathlib import Path

import pytest

from fedbatch.node.home import read_package_dictionary, read_package_units
from fedbatch.standard.dictionary import read_dictionary
from tests.unit.standard.making import PACKAGE

DICTIONARY = read_package_dictionary()
UNITS = read_package_units()
OWN = list(csv.reader((PACKAGE / "dictionary.csv").read_text("utf-8").splitlines()))


def test_the_shared_terms_are_all_there_unchanged(real_data: Path) -> None:
    path = real_data.parent / "DICTIONARY.csv"
    if not path.is_file():
        pytest.skip("the shared dictionary is not here")
    shared = list(csv.reader(path.read_text("utf-8").splitlines()))
    assert len(shared) - 1 == 280
    assert [row for row in shared if row not in OWN] == []


def test_the_dictionary_has_280_terms_and_more_each_once() -> None:
    names = [row[0] for row in OWN[1:]]
    assert len(names) == len(set(names)) == len(DICTIONARY.terms) >= 280


@pytest.mark.parametrize("name", sorted(DICTIONARY.terms))
def test_a_term_is_whole(name: str) -> None:
    term = DICTIONARY.terms[name]
    assert re.fullmatch(r"[a-z][a-z0-9_]*(\.[a-z0-9_]+)*", name)
    assert not name.startswith("x.")  # kept for parties' own terms
    assert term.name
    assert term.definition
    assert [unit for unit in term.units if unit not in UNITS.by_code] == []


def test_ranges_are_numbers_and_not_turned_round() -> None:
    for term in DICTIONARY.terms.values():
        if term.typical_low and term.typical_high:
            assert float(term.typical_low) <= float(term.typical_high), term.term


def test_metadata_and_times_are_bound_by_no_agreement() -> None:
    bound = {term.usual_role for term in DICTIONARY.terms.values() if term.is_bindable}
    assert bound <= {"PV", "SP", "OUT", "result"}
    assert {term.usual_role for term in DICTIONARY.terms.values()} - bound == {"metadata", "time"}


def test_lists_are_read_without_blanks() -> None:
    lines = [
        ",".join(OWN[0]),
        "a.b,A,what,mass,g,kg;mg,one;two,harvest;release,0,1,PV",
        "c,C,what,verdict,,,,release,,,result",
    ]
    found = read_dictionary(lines).terms
    assert found["a.b"].units == ("g", "kg", "mg")
    assert found["a.b"].synonyms == ("one", "two")
    assert found["c"].units == found["c"].synonyms == ()
