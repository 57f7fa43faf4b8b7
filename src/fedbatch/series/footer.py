"""What a Parquet file says of itself, read before any library unfolds it.

A partner's file may lie. Here its footer and the header of each page are read by a small decoder of
Thrift's compact form, in pure Python and within bounds: a library that trusts a footer may end the
process, or unfold a short file into all memory there is.

Format: https://github.com/apache/parquet-format (`parquet.thrift`, `Encodings.md`);
https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

from fedbatch.errors import InputError

__all__ = ["Footer", "read_footer"]

_MAGIC = b"PAR1"
_TAIL_BYTES = 8
_NESTING_MAX = 16
# Read byte by byte: a second at most. Writers make a few bytes of footer a column, a page a megabyte.
_FOOTER_BYTES_MAX = 2 * 2**20
_PAGES_MAX = 50_000
_VARINT_BITS_MAX = 63

_BYTE_ARRAY = 6
_PHYSICAL = {1: "INT32", 2: "INT64", 4: "FLOAT", 5: "DOUBLE", _BYTE_ARRAY: "BYTE_ARRAY"}
_CHILDREN = 5
_REQUIRED, _OPTIONAL = 0, 1
# Uncompressed, Snappy, gzip, Zstandard, LZ4: those that every reader has.
_CODECS = {0, 1, 2, 6, 7}
_DICTIONARY_ENCODINGS = {2, 8}
# Plain, deltas, split streams. Texts by shared prefixes (7) would unfold without a bound.
_NUMBER_ENCODINGS = {0, 5, 9} | _DICTIONARY_ENCODINGS
_TEXT_ENCODINGS = {0} | _DICTIONARY_ENCODINGS
_DATA_PAGE, _DICTIONARY_PAGE, _DATA_PAGE_2 = 0, 2, 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Footer:
    """Rows, columns, bytes that all pages unfold into, and the texts kept beside the data."""

    rows: int
    columns: int
    unfolded_bytes: int
    notes: dict[bytes, bytes]


def read_footer(content: bytes) -> Footer:
    """Check a flat Parquet file's structure, down to the header of each page.

    Raises:
        InputError: `segment.format`: truncated, nested, or not what a reader could make sense of.
    """
    try:
        return _read_footer(content)
    except (LookupError, TypeError, ValueError) as error:
        raise _malformed("what is no Parquet file") from error


def _malformed(found: str, where: str = "") -> InputError:
    return InputError(
        "a Parquet file that is whole", where=where, found=found, code="segment.format"
    )


def _read_footer(content: bytes) -> Footer:
    if len(content) < _TAIL_BYTES + 4 or not content[:4] == content[-4:] == _MAGIC:
        raise _malformed("another beginning or end")
    length = int.from_bytes(content[-_TAIL_BYTES:-4], "little")
    start = len(content) - _TAIL_BYTES - length
    if start < len(_MAGIC) or length > _FOOTER_BYTES_MAX:
        raise _malformed(f"a footer of {length} bytes")
    found, _ = _Thrift(content, start, len(content) - _TAIL_BYTES).struct()
    fields = _fields(found)
    groups = [_struct(group) for group in _list(found.get(4, []))]
    walk = _Pages(content, start)
    unfolded = sum(_group_bytes(walk, group, fields) for group in groups)
    rows = _whole(found[3])
    if sum(_whole(group[3]) for group in groups) != rows:
        raise _malformed("groups with another count of rows")
    pairs = [_struct(pair) for pair in _list(found.get(5, []))]
    notes = {_bytes(pair[1]): _bytes(pair.get(2, b"")) for pair in pairs}
    return Footer(rows=rows, columns=len(fields), unfolded_bytes=unfolded, notes=notes)


Struct = dict[int, object]


def _struct(value: object) -> Struct:
    if not isinstance(value, dict):
        raise TypeError(type(value))
    return cast(Struct, value)


def _list(value: object) -> list[object]:
    if not isinstance(value, list):
        raise TypeError(type(value))
    return value


def _bytes(value: object) -> bytes:
    if not isinstance(value, bytes):
        raise TypeError(type(value))
    return value


def _whole(value: object) -> int:
    """A count, size or position: never negative."""
    if type(value) is not int or value < 0:
        raise TypeError(value)
    return value


def _fields(found: Struct) -> list[tuple[bytes, int]]:
    """Name and physical type of each field of a flat schema."""
    root, *leaves = (_struct(item) for item in _list(found[2]))
    if _whole(root[_CHILDREN]) != len(leaves) or any(_CHILDREN in leaf for leaf in leaves):
        raise _malformed("nested fields")
    if any(_whole(leaf[3]) not in {_REQUIRED, _OPTIONAL} for leaf in leaves):
        raise _malformed("repeated fields")
    fields = [(_bytes(leaf[4]), _whole(leaf[1])) for leaf in leaves]
    if len({name for name, _ in fields}) < len(fields):
        raise _malformed("a field twice")
    for name, type_ in fields:
        if type_ not in _PHYSICAL:
            raise _malformed(f"a field of physical type {type_}", _shown(name))
    return fields


def _shown(name: bytes) -> str:
    return name[:80].decode("utf-8", errors="replace")


def _group_bytes(walk: "_Pages", group: Struct, fields: list[tuple[bytes, int]]) -> int:
    """How many bytes the pages of a row group unfold into, by their own headers."""
    rows = _whole(group[3])
    unfolded = 0
    for chunk, (name, type_) in zip(_list(group[1]), fields, strict=True):
        outer = _struct(chunk)
        if outer.keys() & {1, 8, 9}:
            raise _malformed("a column elsewhere, or encrypted", _shown(name))
        column = _struct(outer[3])
        if _list(column[3]) != [name] or column[1] != type_ or _whole(column[5]) != rows:
            raise _malformed("a column that is not the field's", _shown(name))
        if column[4] not in _CODECS:
            raise _malformed(f"codec {column[4]}", _shown(name))
        values, size = (0, 0) if not rows else walk.of(column, type_, name)
        if values != rows:
            raise _malformed(f"{values} values in {rows} rows", _shown(name))
        unfolded += size
    return unfolded


class _Pages:
    """Walks the pages of columns, which lie before `end`."""

    def __init__(self, content: bytes, end: int) -> None:
        self._content = content
        self._end = end
        self._count = 0

    def of(self, column: Struct, type_: int, name: bytes) -> tuple[int, int]:
        """Values and unfolded bytes of a column's pages."""
        data = _whole(column[9])
        position = min(data, _whole(column.get(11, data)) or data)
        end = position + _whole(column[7])
        if not len(_MAGIC) <= position <= end <= self._end:
            raise _malformed("pages outside the file", _shown(name))
        allowed = _TEXT_ENCODINGS if type_ == _BYTE_ARRAY else _NUMBER_ENCODINGS
        values = unfolded = 0
        while position < end:
            self._count += 1
            header, position = _Thrift(self._content, position, end).struct()
            position += _whole(header[3])
            unfolded += _whole(header[2])
            counted, encoding = _page(header)
            if encoding not in allowed or position > end or self._count > _PAGES_MAX:
                raise _malformed(f"a page of encoding {encoding}", _shown(name))
            values += counted
        return values, unfolded


def _page(header: Struct) -> tuple[int, int]:
    """Values and encoding of a page; a dictionary's values are not the column's."""
    kind = header[1]
    if kind == _DATA_PAGE:
        page = _struct(header[5])
        return _whole(page[1]), _whole(page[2])
    if kind == _DATA_PAGE_2:
        page = _struct(header[8])
        return _whole(page[1]), _whole(page[4])
    if kind == _DICTIONARY_PAGE:
        return 0, _whole(_struct(header[7])[2])
    raise _malformed(f"a page of kind {kind}")


# ---- Thrift's compact form


_TRUE, _FALSE, _BYTE, _I16, _I32, _I64, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = range(1, 13)


class _Thrift:
    """Reads values between two positions; IndexError beyond, ValueError for what makes no sense."""

    def __init__(self, content: bytes, start: int, end: int) -> None:
        self._content = content
        self._at = start
        self._end = end
        self._depth = 0

    def struct(self) -> tuple[Struct, int]:
        """A struct by field ids, and the position behind it."""
        found: Struct = {}
        self._depth += 1
        if self._depth > _NESTING_MAX:
            raise ValueError(self._depth)
        number = 0
        for delta, type_ in self._headers():
            number = number + delta if delta else _unzigzag(self._varint())
            if number in found:
                raise ValueError(number)
            found[number] = type_ == _TRUE if type_ in {_TRUE, _FALSE} else self._value(type_)
        self._depth -= 1
        return found, self._at

    def _headers(self) -> Iterator[tuple[int, int]]:
        while header := self._byte():
            yield header >> 4, header & 15

    def _byte(self) -> int:
        if self._at >= self._end:
            raise IndexError(self._at)
        self._at += 1
        return self._content[self._at - 1]

    def _varint(self) -> int:
        value = shift = 0
        while True:
            byte = self._byte()
            value |= (byte & 127) << shift
            if byte < 128:  # noqa: PLR2004 - the bit that says another byte follows
                return value
            shift += 7
            if shift > _VARINT_BITS_MAX:
                raise ValueError(shift)

    def _taken(self, length: int) -> bytes:
        if length > self._end - self._at:
            raise IndexError(length)
        self._at += length
        return self._content[self._at - length : self._at]

    def _value(self, type_: int) -> object:
        if type_ in {_I16, _I32, _I64}:
            return _unzigzag(self._varint())
        if type_ == _BINARY:
            return self._taken(self._varint())
        if type_ in {_LIST, _SET}:
            return self._items()
        if type_ == _STRUCT:
            return self.struct()[0]
        if type_ in {_TRUE, _FALSE, _BYTE}:  # in lists a boolean is a byte
            return self._byte()
        if type_ == _DOUBLE:
            return self._taken(8)
        raise ValueError(type_)  # maps: Parquet has none

    def _items(self) -> list[object]:
        header = self._byte()
        length = header >> 4
        if length == 15:  # noqa: PLR2004 - a longer list states its length apart
            length = self._varint()
        if length > self._end - self._at:
            raise IndexError(length)
        self._depth += 1
        if self._depth > _NESTING_MAX:
            raise ValueError(self._depth)
        found = [self._value(header & 15) for _ in range(length)]
        self._depth -= 1
        return found


def _unzigzag(value: int) -> int:
    return (value >> 1) ^ -(value & 1)
