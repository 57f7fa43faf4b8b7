"""Which ids name one batch, by the numbers that each states."""

from hypothesis import given, settings
from hypothesis import strategies as st

from fedbatch.standard.joining import join_batches

OWN, PARTNERS = "own", "partners"


def test_a_common_number_joins_and_the_first_id_is_kept() -> None:
    stated = {"b": [(OWN, "1"), (PARTNERS, "7")], "p": [(PARTNERS, "7")], "x": [(OWN, "2")]}
    assert join_batches(stated) == {"p": "b"}


def test_joining_goes_on_from_number_to_number() -> None:
    stated = {"a": [(OWN, "1")], "c": [(PARTNERS, "7")], "b": [(OWN, "1"), (PARTNERS, "7")]}
    assert join_batches(stated) == {"b": "a", "c": "a"}


def test_what_could_be_either_of_two_is_neither() -> None:
    stated = {
        "a": [(OWN, "1"), (PARTNERS, "7")],
        "b": [(OWN, "2"), (PARTNERS, "7")],
        "p": [(PARTNERS, "7")],
    }
    assert join_batches(stated) == {}


def test_batches_that_another_joins_but_their_own_numbers_part_are_not_joined() -> None:
    stated = {
        "a": [(OWN, "1"), ("order", "5")],
        "b": [(OWN, "2"), (PARTNERS, "7")],
        "c": [("order", "5"), (PARTNERS, "7")],
    }
    joined = join_batches(stated)
    assert joined.get("a", "a") != joined.get("b", "b")


identifiers = st.lists(
    st.tuples(st.sampled_from([OWN, PARTNERS]), st.sampled_from("123")), max_size=2
)


@settings(max_examples=100)
@given(st.dictionaries(st.sampled_from("abcdef"), identifiers, max_size=6))
def test_no_batch_gets_two_numbers_without_one_in_common(
    stated: dict[str, list[tuple[str, str]]],
) -> None:
    joined = join_batches(stated)
    for one, first in joined.items():
        assert first not in joined
        mine, its = dict[str, set[str]](), dict[str, set[str]]()
        for system, value in stated[one]:
            mine.setdefault(system, set()).add(value)
        for system, value in stated[first]:
            its.setdefault(system, set()).add(value)
        for system in mine.keys() & its.keys():
            assert mine[system] & its[system]
