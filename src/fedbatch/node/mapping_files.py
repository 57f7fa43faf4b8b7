"""Mapping files in YAML."""

from pathlib import Path

from fedbatch.errors import InputError
from fedbatch.node.yaml_files import read_yaml
from fedbatch.standard.mappings import Mapping

__all__ = ["read_mapping"]


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
