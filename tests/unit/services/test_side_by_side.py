"""Work done two at a time gives what `map` gives."""

import threading
from collections.abc import Iterator

import pytest

from fedbatch.services.side_by_side import side_by_side


def test_results_come_in_the_order_of_the_things() -> None:
    barrier = threading.Event()

    def work(number: int) -> int:
        if number:
            barrier.set()
        else:  # the first is done only when a later one was
            assert barrier.wait(10)
        return number * number

    assert list(side_by_side(work, range(20))) == [number * number for number in range(20)]


def test_things_are_taken_in_the_calling_thread_and_only_a_few_ahead() -> None:
    taken: list[int] = []

    def things() -> Iterator[int]:
        for number in range(100):
            assert threading.current_thread() is threading.main_thread()
            taken.append(number)
            yield number

    results = side_by_side(str, things())
    assert next(results) == "0"
    assert len(taken) < 10
    results.close()
    assert len(taken) < 10


def test_what_work_raises_is_raised_in_its_place() -> None:
    results = side_by_side(lambda number: 6 // number, (3, 2, 0, 1))
    assert [next(results), next(results)] == [2, 3]
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_what_things_raise_is_raised_too() -> None:
    def things() -> Iterator[int]:
        yield 1
        raise KeyError("lost")

    with pytest.raises(KeyError):
        list(side_by_side(str, things()))
