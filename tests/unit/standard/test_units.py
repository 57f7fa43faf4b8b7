"""Units: every text means one thing or is asked about, and conversion is exact."""

import csv
from collections import Counter
from fractions import Fraction

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from fedbatch.errors import InputError
from fedbatch.node.home import read_package_units
from fedbatch.standard import units as units_room
from fedbatch.standard.units import Unit, UnitQuestion, read_units
from tests import strategies
from tests.unit.standard.making import PACKAGE

TABLE = read_package_units()
ROWS = list(csv.DictReader((PACKAGE / "units.csv").read_text("utf-8").splitlines()))
PAIRS = [
    (one.ucum, other.ucum)
    for one in TABLE.by_code.values()
    for other in TABLE.by_code.values()
    if one.kind == other.kind
]
ASKED = "asked"

# The list of texts that a general unit parser is known to misread; each as it is meant here.
ADVERSARIAL = {
    "pH": "[pH]",
    "PH": "[pH]",
    "ph": "[pH]",
    "pH units": "[pH]",
    "EU": "[iU]",
    "EU/mL": "[iU]/mL",
    "TU/mL": "/mL",
    "GC/mL": "/mL",
    "c/mL": "/mL",
    "deg C": "Cel",
    "C": ASKED,
    "C/min": "K/min",
    "F": ASKED,
    "N/A": ASKED,
    "bar(g)": "bar{gauge}",
    "bar g": "bar{gauge}",
    "psi(g)": "[psi]{gauge}",
    "psi g": "[psi]{gauge}",
    "ML": "mL",
    "ML/min": "mL/min",
    "MG/L": "mg/L",
    "Mg/L": "mg/L",
    "MM": "mmol/L",
    "MS/cm": "mS/cm",
    "pcd": "pg/d",
    "kD": "ku",
    "mPas": "mPa.s",
    "cp": "cP",
    "a.u.": ASKED,
    "au": ASKED,
    "units": ASKED,
    "H": ASKED,
    "D": ASKED,
    "Min": "min",
    "G": ASKED,
    "slpm": "L{standard}/min",
    "U": ASKED,
    # further ones met in real headers
    "gpm": ASKED,
    "M": ASKED,
    "K": ASKED,
    "oz": ASKED,
    "mmH2O": ASKED,
    "kDa": "ku",
    "mAU": "10*-3{AU}",
    "% DO": "%{DO}",
    "pg/cell/d": "pg/d",
}


def meaning(text: str) -> str:
    found = TABLE.find(text)
    return found.ucum if isinstance(found, Unit) else ASKED


def test_the_table_knows_at_least_250_spellings_each_once() -> None:
    spellings = Counter(text for row in ROWS for text in row["spellings"].split("|"))
    assert len(spellings) >= 250
    assert [text for text, count in spellings.items() if count > 1] == []


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['ucum']}:{row['spellings'][:12]}")
def test_every_spelling_is_mapped_to_its_row_or_asked(row: dict[str, str]) -> None:
    for text in row["spellings"].split("|"):
        assert meaning(text) == (ASKED if row["kind"] == "ask" else row["ucum"]), text


def test_every_code_is_listed_once_and_means_itself() -> None:
    codes = [row["ucum"] for row in ROWS if row["kind"] != "ask"]
    assert len(codes) == len(set(codes)) == len(TABLE.by_code)
    assert [code for code in codes if meaning(code) != code and code not in TABLE.questions] == []


def test_a_text_that_is_asked_about_is_no_units_text() -> None:
    assert [text for text in TABLE.questions if isinstance(TABLE.find(text), Unit)] == []


@pytest.mark.parametrize(("text", "expected"), ADVERSARIAL.items(), ids=ADVERSARIAL)
def test_a_text_known_to_be_misread_is_read_as_meant_or_asked(text: str, expected: str) -> None:
    assert meaning(text) == expected
    if expected == ASKED:
        question = TABLE.find(text)
        assert isinstance(question, UnitQuestion)
        assert question.choices


@pytest.mark.parametrize(
    "text", ["", "xyzzy", "mg/L/fortnight", "EUs", "mg /L", "Bar(G)", "milligauss", "p H", "m g"]
)
def test_an_unknown_text_is_never_parsed(text: str) -> None:
    assert TABLE.find(text) is None


def test_case_tells_units_apart() -> None:
    assert meaning("mS/cm") == "mS/cm"
    assert meaning("S/m") == "S/m"
    assert TABLE.find("ms/cm") is None
    assert meaning("MPa") != meaning("mPa.s")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("\u00b5g/mL", "\u03bcg/mL"),
        ("\u00b0C", "\u00baC"),
        ("\u00b5m", "\u03bcm"),
        (" mg/L ", "mg/L"),
    ],
    ids=ascii,
)
def test_two_ways_to_write_a_sign_are_one_text(one: str, other: str) -> None:
    assert meaning(one) == meaning(other) != ASKED


# ---- conversion


def half_even(exact: Fraction, digits: int) -> Fraction:
    """The oracle: an exact number at so many significant digits, ties to even."""
    if exact == 0:
        return exact
    exponent = -digits
    while abs(exact) >= Fraction(10) ** (exponent + digits):
        exponent += 1
    while abs(exact) < Fraction(10) ** (exponent + digits - 1):
        exponent -= 1
    step = Fraction(10) ** exponent
    return round(exact / step) * step


def significant(text: str) -> int:
    return len(text.lstrip("-").replace(".", "").lstrip("0")) or 1


@settings(max_examples=300)
@given(st.sampled_from(PAIRS), strategies.decimals(digits_max=12))
def test_conversion_equals_exact_rational_arithmetic(pair: tuple[str, str], number: str) -> None:
    source, target = (TABLE.by_code[code] for code in pair)
    exact = (Fraction(number) * source.factor + source.offset - target.offset) / target.factor
    found = TABLE.convert(number, *pair)
    digits = significant(number) + 2 if Fraction(number) else 3
    assert Fraction(found.number) == half_even(exact, digits)
    assert found.conversion.rounded == (Fraction(found.number) != exact)
    assert found.conversion.number == number
    assert found.conversion.unit == pair[0]


@settings(max_examples=100)
@given(st.sampled_from(PAIRS), strategies.decimals(digits_max=12))
def test_the_conversion_on_record_gives_the_same_number_again(
    pair: tuple[str, str], number: str
) -> None:
    found = TABLE.convert(number, *pair)
    conversion = found.conversion
    again = Fraction(number) * Fraction(conversion.factor) + Fraction(conversion.offset or 0)
    assert conversion.rounded or again == Fraction(found.number)
    assert abs(again - Fraction(found.number)) <= abs(again) / 100


@settings(max_examples=100)
@given(st.sampled_from(PAIRS), strategies.decimals(digits_max=10))
def test_there_and_back_gives_the_number_where_nothing_was_rounded(
    pair: tuple[str, str], number: str
) -> None:
    there = TABLE.convert(number, *pair)
    assume(not there.conversion.rounded)
    exact = Fraction(number)
    back = TABLE.convert(there.number, pair[1], pair[0])
    assert back.conversion.rounded or Fraction(back.number) == exact


@pytest.mark.parametrize(
    ("number", "source", "target", "expected"),
    [
        ("12.40", "g/L", "mg/mL", "12.40"),
        ("0.05", "g/L", "mg/L", "50"),
        ("25.0", "Cel", "K", "298.15"),
        ("0", "Cel", "K", "273"),
        ("37", "Cel", "[degF]", "98.6"),
        ("-40", "Cel", "[degF]", "-40"),
        ("1", "bar", "[psi]", "14.5"),
        ("1.000", "bar", "[psi]", "14.5038"),
        ("1", "min", "h", "0.0167"),
        ("3", "10*6/mL", "10*9/L", "3"),
        ("150", "ku", "g/mol", "150000"),
    ],
)
def test_known_conversions(number: str, source: str, target: str, expected: str) -> None:
    assert Fraction(TABLE.convert(number, source, target).number) == Fraction(expected)


@pytest.mark.parametrize(
    ("number", "expected"),
    [("0.5", "0.5"), ("1.05", "1.05"), ("2", "2"), ("-0.5", "-0.5")],
)
def test_a_units_own_number_stays(number: str, expected: str) -> None:
    found = TABLE.convert(number, "g/L", "g/L")
    assert (found.number, found.conversion.rounded) == (expected, False)


def test_ties_go_to_the_even_digit() -> None:
    # 1 of this unit is 0.0005 of the other; one digit and two more make three.
    lines = ["ucum,kind,factor,offset,spellings", "a,k,1.0005,,a", "b,k,1,,b", "c,k,1.0015,,c"]
    table = read_units(lines)
    assert table.convert("10", "a", "b").number == "10.00"
    assert table.convert("10", "c", "b").number == "10.02"
    assert table.convert("-10", "a", "b").number == "-10.00"


def test_celsius_converts_as_a_point_not_as_a_difference() -> None:
    assert TABLE.convert("10", "Cel", "K").conversion.offset == "5463/20"
    rate = TABLE.get("K/min")
    assert rate.kind != TABLE.get("K").kind
    assert rate.offset == 0


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("bar{gauge}", "bar{absolute}"),
        ("bar{gauge}", "bar"),
        ("[psi]{gauge}", "[psi]{absolute}"),
        ("%{DO}", "mg/L"),
        ("%{DO}", "%"),
        ("%{w/w}", "%{w/v}"),
        ("mol/L", "g/L"),
        ("mmol/L", "mg/L"),
        ("{OD}", "10*6/mL"),
        ("{AU}", "{OD}"),
        ("L{standard}/min", "L/min"),
        ("mm", "s"),
        ("[iU]/mL", "U/mL"),
        ("[CFU]/mL", "/mL"),
        ("K/min", "Cel"),
    ],
)
def test_kinds_never_convert_into_one_another(source: str, target: str) -> None:
    for one, other in ((source, target), (target, source)):
        assert not TABLE.is_convertible(one, other)
        with pytest.raises(InputError) as caught:
            TABLE.convert("1", one, other)
        assert caught.value.code == "unit.kind"


@settings(max_examples=200)
@given(st.sampled_from(sorted(TABLE.by_code)), st.sampled_from(sorted(TABLE.by_code)))
def test_convertible_means_of_one_kind(source: str, target: str) -> None:
    same = TABLE.by_code[source].kind == TABLE.by_code[target].kind
    assert TABLE.is_convertible(source, target) == same


def test_a_number_too_long_for_the_other_unit_is_refused() -> None:
    number = "1" * 34
    assert TABLE.convert(number, "kg", "g").number
    with pytest.raises(InputError) as caught:
        TABLE.convert(number, "t", "ng")
    assert caught.value.code == "decimal"


def test_an_unknown_code_is_refused() -> None:
    with pytest.raises(InputError) as caught:
        TABLE.convert("1", "g/L", "furlong")
    assert caught.value.code == "unit.unknown"
    assert not TABLE.is_convertible("furlong", "m")


def test_no_minus_zero_comes_of_rounding() -> None:
    assert units_room.read_units(["ucum,kind,factor,offset,spellings", "a,k,1,,a"]).convert(
        "-0", "a", "a"
    ).number in {"0", "-0"}
