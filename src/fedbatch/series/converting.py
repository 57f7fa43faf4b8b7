"""Columns of scaled integers from one unit to another, exactly, rounded half-even where they must be."""

from dataclasses import dataclass
from fractions import Fraction

import msgspec
import numpy as np

from fedbatch.errors import InputError
from fedbatch.series.blocks import DIGITS_MAX, NUMBER_MAX, Column, Integers
from fedbatch.standard.records import SamplingModel, SeriesConversion
from fedbatch.standard.units import Unit

__all__ = ["Converter", "make_converter"]

_EXACT = 1 << 62


@dataclass(frozen=True, slots=True, kw_only=True)
class Converter:
    """y = x × factor + offset; `more` decimals are added so that the source's number comes back."""

    factor: Fraction
    offset: Fraction
    more: int
    is_same: bool
    rule: str = ""

    def scale(self, scale: int | None) -> int | None:
        """The decimals of a converted column."""
        return None if scale is None else min(max(scale + self.more, 0), DIGITS_MAX)

    def conversion(self, scale: int | None) -> SeriesConversion | None:
        """What a series says of the conversion (STANDARD S37); None where there is none."""
        if self.is_same:
            return None
        return SeriesConversion(
            factor=str(self.factor),
            offset=str(self.offset) if self.offset else None,
            rule=self.rule,
            raw_scale=scale,
        )

    def model(self, model: SamplingModel, unit: str) -> SamplingModel:
        """A sampling model whose dead band is in the new unit."""
        band = model.dead_band
        if self.is_same or band is None or band.number is None:
            return model
        number = Fraction(band.number) * abs(self.factor)
        text = f"{float(number):.10f}".rstrip("0").rstrip(".")
        changed = msgspec.structs.replace(band, number=text, unit=unit, raw=None)
        return msgspec.structs.replace(model, dead_band=changed)

    def convert(self, column: Column) -> Column:
        """A column in the new unit.

        Raises:
            InputError: a converted number has more than 18 digits.
        """
        if self.is_same:
            return column
        if column.scale is None:
            doubles = column.numbers * float(self.factor) + float(self.offset)
            numbers = np.asarray(doubles, dtype=np.float64)
            return Column(None, numbers, column.present, column.marks)
        scale = self.scale(column.scale) or 0
        step = self.factor * Fraction(10) ** (scale - column.scale)
        shift = self.offset * Fraction(10) ** scale
        whole = np.asarray(column.numbers, dtype=np.int64)
        return Column(scale, _rounded(whole, step, shift), column.present, column.marks)


def _rounded(numbers: Integers, step: Fraction, shift: Fraction) -> Integers:
    """Numbers × step + shift in whole numbers, half-even."""
    below = step.denominator * shift.denominator
    times, plus = step.numerator * shift.denominator, shift.numerator * step.denominator
    greatest = int(np.abs(numbers).max(initial=0))
    if greatest * abs(times) + abs(plus) + 2 * below < _EXACT:
        return _half_even(numbers * times + plus, below)
    wide = [_half_even_one(int(number) * times + plus, below) for number in numbers.tolist()]
    if any(abs(number) > NUMBER_MAX for number in wide):
        raise InputError(
            f"numbers of at most {DIGITS_MAX} digits in the agreed unit", code="series.digits"
        )
    return np.array(wide, dtype=np.int64)


def _half_even(above: Integers, below: int) -> Integers:
    whole, rest = np.divmod(above, below)
    twice = 2 * rest
    up = (twice > below) | ((twice == below) & (whole % 2 == 1))
    return np.asarray(whole + up, dtype=np.int64)


def _half_even_one(above: int, below: int) -> int:
    whole, rest = divmod(above, below)
    return whole + int(2 * rest > below or (2 * rest == below and whole % 2 == 1))


def make_converter(source: Unit, target: Unit) -> Converter:
    """How numbers of one unit become those of another of the same kind."""
    factor = source.factor / target.factor
    offset = (source.offset - target.offset) / target.factor
    is_same = factor == 1 and offset == 0
    return Converter(
        factor=factor,
        offset=offset,
        more=_more_decimals(factor, offset),
        is_same=is_same,
        rule=f"ucum:{source.ucum}->{target.ucum}",
    )


def _more_decimals(factor: Fraction, offset: Fraction) -> int:
    """Exactly as many as a power of ten needs; else two beyond what the factor takes away."""
    power, rest = 0, factor
    while (rest.denominator != 1 and rest.denominator % 10 == 0) or (
        rest < 1 and power < DIGITS_MAX
    ):
        power, rest = power + 1, rest * 10
    while rest.denominator == 1 and rest.numerator % 10 == 0 and rest:
        power, rest = power - 1, rest / 10
    if rest == 1 and offset == 0:
        return power
    return max(power, 0) + 2
