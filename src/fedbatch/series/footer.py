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

__all__ = ["Footer", "FooterField", "read_any_footer", "read_footer"]

_MAGIC = b"PAR1"
_TAIL_BYTES = 8
_NESTING_MAX = 16
_SCHEMA_DEPTH_MAX = 64
# Read byte by byte: a second at most. Writers make a few bytes of footer a column, a page a megabyte.
_FOOTER_BYTES_MAX = 2 * 2**20
_PAGES_MAX = 50_000
_VARINT_BITS_MAX = 63

_BOOLEAN, _INT96, _BYTE_ARRAY, _FIXED = 0, 3, 6, 7
# INT32, INT64, FLOAT, DOUBLE, BYTE_ARRAY; other writers use the rest too.
_PHYSICAL = frozenset({1, 2, 4, 5, _BYTE_ARRAY})
_ANY_PHYSICAL = _PHYSICAL | {_BOOLEAN, _INT96, _FIXED}
_LENGTH, _CHILDREN = 2, 5
_REPEATED = 2
# Uncompressed, Snappy, gzip, Zstandard, LZ4: those that every reader has.
_CODECS = {0, 1, 2, 6, 7}
_DICTIONARY_ENCODINGS = frozenset({2, 8})
# Plain, deltas, split streams. Texts by shared prefixes (7) would unfold without a bound.
_NUMBER_ENCODINGS = frozenset({0, 5, 9}) | _DICTIONARY_ENCODINGS
_TEXT_ENCODINGS = frozenset({0}) | _DICTIONARY_ENCODINGS
# Texts with their lengths before them hold no more than their page does.
_ANY_TEXT_ENCODINGS = _TEXT_ENCODINGS | {6}
_BOOLEAN_ENCODINGS = frozenset({0, 3})
_SHARED_PREFIXES = 7
_DATA_PAGE, _DICTIONARY_PAGE, _DATA_PAGE_2 = 0, 2, 3


@dataclass(frozen=True, slots=True, kw_only=True)
class FooterField:
    """A field of a file's schema: its name, and the places of its leaves among those of the file.

    `problem` says why it is not looked at further (nested, or pages that would unfold without a
    bound), "" where it may be unfolded: into `unfolded_bytes`, by these `codecs`.
    """

    name: str
    leaves: range
    problem: str = ""
    unfolded_bytes: int = 0
    codecs: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Footer:
    """Rows, fields, and the texts kept beside the data."""

    rows: int
    fields: tuple[FooterField, ...]
    notes: dict[bytes, bytes]

    @property
    def columns(self) -> int:
        """How many fields there are."""
        return len(self.fields)

    @property
    def unfolded_bytes(self) -> int:
        """The bytes that all pages unfold into, as far as they were looked at."""
        return sum(field.unfolded_bytes for field in self.fields)


def read_footer(content: bytes) -> Footer:
    """Check a flat Parquet file of numbers and texts, as segments are, down to each page's header.

    Raises:
        InputError: `segment.format`: truncated, nested, or not what a reader could make sense of.
    """
    return _guarded(content, is_ours=True)


def read_any_footer(content: bytes) -> Footer:
    """Check another writer's Parquet file; a field that has no reading is named with the reason.

    Raises:
        InputError: `segment.format`: truncated, or not what a reader could make sense of.
    """
    return _guarded(content, is_ours=False)


def _guarded(content: bytes, *, is_ours: bool) -> Footer:
    try:
        return _read_footer(content, is_ours=is_ours)
    except (LookupError, TypeError, ValueError) as error:
        raise _malformed("what is no Parquet file") from error


def _malformed(found: str, where: str = "") -> InputError:
    return InputError(
        "a Parquet file that is whole", where=where, found=found, code="segment.format"
    )


def _read_footer(content: bytes, *, is_ours: bool) -> Footer:
    if len(content) < _TAIL_BYTES + 4 or not content[:4] == content[-4:] == _MAGIC:
        raise _malformed("another beginning or end")
    length = int.from_bytes(content[-_TAIL_BYTES:-4], "little")
    start = len(content) - _TAIL_BYTES - length
    if start < len(_MAGIC) or length > _FOOTER_BYTES_MAX:
        raise _malformed(f"a footer of {length} bytes")
    found, _ = _Thrift(content, start, len(content) - _TAIL_BYTES).struct()
    schema = _schema(found, is_ours=is_ours)
    groups = [_struct(group) for group in _list(found.get(4, []))]
    walk = _Pages(content, start, is_ours=is_ours)
    pages = [_group_pages(walk, group, schema) for group in groups]
    rows = _whole(found[3])
    if sum(_whole(group[3]) for group in groups) != rows:
        raise _malformed("groups with another count of rows")
    pairs = [_struct(pair) for pair in _list(found.get(5, []))]
    notes = {_bytes(pair[1]): _bytes(pair.get(2, b"")) for pair in pairs}
    fields = tuple(_field(item, [each[at] for each in pages]) for at, item in enumerate(schema))
    for field in fields:
        if is_ours and field.problem:
            raise _malformed(field.problem, field.name[:80])
    return Footer(rows=rows, fields=fields, notes=notes)


def _field(found: "_Found", pages: list["_Column"]) -> FooterField:
    return FooterField(
        name=found.name.decode("utf-8", errors="replace"),
        leaves=range(found.first, found.end),
        problem=found.problem or next((page.problem for page in pages if page.problem), ""),
        unfolded_bytes=sum(page.unfolded_bytes for page in pages),
        codecs=frozenset(page.codec for page in pages if page.codec is not None),
    )


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


@dataclass(slots=True, kw_only=True)
class _Found:
    """A field as the schema lists it; `type` and `length` are those of a leaf."""

    name: bytes
    type: int
    length: int
    first: int
    end: int
    problem: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Column:
    """What the pages of a field come to in one row group."""

    unfolded_bytes: int = 0
    codec: int | None = None
    problem: str = ""


def _schema(found: Struct, *, is_ours: bool) -> list[_Found]:
    """Each field of the schema, which is a list of all its nodes, parents before their children."""
    root, *nodes = (_struct(item) for item in _list(found[2]))
    fields: list[_Found] = []
    due = [_whole(root[_CHILDREN])]
    leaves = 0
    for node in nodes:
        while due and not due[-1]:
            due.pop()
        # A library walks the schema by calling itself: a deep one would end the process.
        if not due or len(due) > _SCHEMA_DEPTH_MAX:
            raise _malformed("a schema that is no tree")
        due[-1] -= 1
        children = _whole(node.get(_CHILDREN, 0))
        if len(due) == 1:
            fields.append(_found(node, leaves, is_ours=is_ours))
        if children:
            fields[-1].problem = "nested fields"
            due.append(children)
        leaves += not children
        fields[-1].end = leaves
    if any(due):
        raise _malformed("a schema that is cut")
    if len({field.name for field in fields}) < len(fields):
        raise _malformed("a field twice")
    return fields


def _found(node: Struct, leaves: int, *, is_ours: bool) -> _Found:
    name, repetition = _bytes(node[4]), _whole(node[3])
    if repetition > _REPEATED:
        raise _malformed(f"a field of repetition {repetition}", _shown(name))
    found = _Found(name=name, type=-1, length=0, first=leaves, end=leaves, problem="")
    if repetition == _REPEATED:
        found.problem = "repeated fields"
    elif not node.get(_CHILDREN):
        found.type, found.length = _whole(node[1]), _whole(node.get(_LENGTH, 0))
        if found.type not in (_PHYSICAL if is_ours else _ANY_PHYSICAL):
            found.problem = f"a field of physical type {found.type}"
    return found


def _shown(name: bytes) -> str:
    return name[:80].decode("utf-8", errors="replace")


def _group_pages(walk: "_Pages", group: Struct, schema: list[_Found]) -> list[_Column]:
    """What the pages of a row group come to, field by field."""
    rows, chunks = _whole(group[3]), _list(group[1])
    if len(chunks) != (schema[-1].end if schema else 0):
        raise _malformed(f"{len(chunks)} columns in a group of rows")
    return [
        _Column() if field.problem else walk.column(_struct(chunks[field.first]), field, rows)
        for field in schema
    ]


class _Pages:
    """Walks the pages of columns, which lie before `end`."""

    def __init__(self, content: bytes, end: int, *, is_ours: bool) -> None:
        self._content = content
        self._end = end
        self._is_ours = is_ours
        self._count = 0

    def column(self, chunk: Struct, field: _Found, rows: int) -> _Column:
        """What a column's pages in a group of rows unfold into, by their own headers."""
        if chunk.keys() & {1, 8, 9}:
            raise _malformed("a column elsewhere, or encrypted", _shown(field.name))
        column = _struct(chunk[3])
        same = [field.name], field.type, rows
        if (_list(column[3]), column[1], _whole(column[5])) != same:
            raise _malformed("a column that is not the field's", _shown(field.name))
        codec = _whole(column[4])
        if self._is_ours and codec not in _CODECS:
            raise _malformed(f"codec {codec}", _shown(field.name))
        if not rows:
            return _Column(codec=codec)
        values, unfolded, encodings = self._walk(column, field)
        strange = encodings - self._allowed(field.type)
        if strange:
            return _Column(codec=codec, problem=_encoding_problem(min(strange)))
        if values != rows:
            raise _malformed(f"{values} values in {rows} rows", _shown(field.name))
        # A few bytes of a dictionary may stand for many values of a fixed length.
        fixed = rows * field.length if field.type == _FIXED else 0
        return _Column(codec=codec, unfolded_bytes=max(unfolded, fixed))

    def _allowed(self, type_: int) -> frozenset[int]:
        if type_ == _BYTE_ARRAY:
            return _TEXT_ENCODINGS if self._is_ours else _ANY_TEXT_ENCODINGS
        return _BOOLEAN_ENCODINGS if type_ == _BOOLEAN else _NUMBER_ENCODINGS

    def _walk(self, column: Struct, field: _Found) -> tuple[int, int, set[int]]:
        """Values, unfolded bytes and encodings of a column's pages."""
        data = _whole(column[9])
        position = min(data, _whole(column.get(11, data)) or data)
        end = position + _whole(column[7])
        if not len(_MAGIC) <= position <= end <= self._end:
            raise _malformed("pages outside the file", _shown(field.name))
        values = unfolded = 0
        encodings: set[int] = set()
        while position < end:
            self._count += 1
            header, position = _Thrift(self._content, position, end).struct()
            position += _whole(header[3])
            unfolded += _whole(header[2])
            counted, encoding = _page(header)
            if position > end or self._count > _PAGES_MAX:
                raise _malformed("a page outside its column", _shown(field.name))
            values += counted
            encodings.add(encoding)
        return values, unfolded, encodings


def _encoding_problem(encoding: int) -> str:
    if encoding == _SHARED_PREFIXES:
        return "texts by the prefixes they share (DELTA_BYTE_ARRAY)"
    return f"a page of encoding {encoding}"


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
