"""Mapping files in YAML."""

from pathlib import Path

from fedbatch.errors import InputError
from fedbatch.node.home import zone_named
from fedbatch.node.yaml_files import read_yaml
from fedbatch.standard.mappings import Mapping

__all__ = ["check_zone", "read_mapping"]


def read_mapping(path: Path) -> Mapping:
    """A mapping's file.

    Raises:
        InputError: unreadable, not YAML, or a field that is none.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError("a mapping's file", where=str(path), found=str(error)) from error
    return read_yaml(content, Mapping, str(path))


def check_zone(mapping: Mapping) -> list[str]:
    """What is wrong with a mapping's zone, if anything."""
    try:
        zone_named(mapping.zone)
    except InputError as error:
        return [f"zone: {error}"]
    return []
