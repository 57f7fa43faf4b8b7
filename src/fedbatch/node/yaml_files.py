"""YAML as people write it: every scalar is a text, no key twice, no anchors."""

from collections.abc import Hashable
from typing import Any, TypeVar

import msgspec
import msgspec.inspect
import yaml
from typing_extensions import override

from fedbatch.errors import InputError

__all__ = ["read_yaml", "render_yaml"]

BYTES_MAX = 4 * 1024 * 1024
T = TypeVar("T")


class _TextLoader(yaml.BaseLoader):
    """Reads scalars as texts; refuses aliases (they can multiply) and repeated keys (they hide)."""

    @override
    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise yaml.constructor.ConstructorError(None, None, "an alias", None)
        return super().compose_node(parent, index)

    @override
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        names = [key.value for key, _ in node.value]
        for name in names:
            if names.count(name) > 1:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {name!r} twice", node.start_mark
                )
        return super().construct_mapping(node, deep)


def read_yaml(content: bytes, type_: type[T], where: str) -> T:
    """A YAML document as a type of the standard; numbers, booleans and dates in it are texts.

    Raises:
        InputError: too long, not YAML, or not of this shape; it says at which line or field.
    """
    if len(content) > BYTES_MAX:
        raise InputError(f"at most {BYTES_MAX} bytes", where=where, found=str(len(content)))
    try:
        found = yaml.load(content, _TextLoader)  # noqa: S506 - texts only, no objects
    except (yaml.YAMLError, RecursionError) as error:
        raise InputError("YAML", where=where, found=_one_line(error), code="yaml") from error
    plain = _without_blanks(found)
    # A mistyped name would else be left out in silence, a limit or qualifier with it.
    unknown = _unknown_fields(plain, msgspec.inspect.type_info(type_), "")
    if unknown:
        raise InputError(
            "the fields that the guide names",
            where=where,
            found=f"unknown: {', '.join(unknown)}",
            code="yaml.fields",
        )
    try:
        return msgspec.convert(plain, type_, strict=False)
    except (msgspec.ValidationError, InputError) as error:
        raise InputError(
            "the fields that the guide names", where=where, found=str(error), code="yaml.fields"
        ) from error


def _unknown_fields(value: object, kind: msgspec.inspect.Type, path: str) -> list[str]:
    """Names in a document that its type does not have, each with its path."""
    if isinstance(kind, msgspec.inspect.UnionType):
        inner = [item for item in kind.types if not isinstance(item, msgspec.inspect.NoneType)]
        return _unknown_fields(value, inner[0], path) if len(inner) == 1 else []
    if isinstance(kind, msgspec.inspect.StructType) and isinstance(value, dict):
        fields = {item.encode_name: item.type for item in kind.fields}
        found = [f"{path}/{name}" for name in value if name not in fields]
        for name, item in value.items():
            if name in fields:
                found += _unknown_fields(item, fields[name], f"{path}/{name}")
        return found
    if isinstance(kind, msgspec.inspect.VarTupleType) and isinstance(value, list):
        return [
            text
            for index, item in enumerate(value)
            for text in _unknown_fields(item, kind.item_type, f"{path}/{index}")
        ]
    return []


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def _without_blanks(value: object) -> object:
    """A field left blank is a field left out."""
    if isinstance(value, dict):
        return {key: _without_blanks(item) for key, item in value.items() if item != ""}
    if isinstance(value, list):
        return [_without_blanks(item) for item in value]
    return value


def render_yaml(value: object) -> str:
    """Plain values as YAML that `read_yaml` reads back to the same texts."""
    return yaml.safe_dump(
        msgspec.to_builtins(value), sort_keys=False, allow_unicode=True, width=100
    )
