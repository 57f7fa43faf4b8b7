"""A ledger as a folder that others can read, and its verification.

The layout is that of https://c2sp.org/tlog-tiles: `checkpoint`, hashes in `tile/<level>/<N>`,
entries in `tile/entries/<N>`, 256 to a file, the last of each level partial (`.p/<width>`). An
erased entry has length 0 there; its leaf hash stands in `tile/0`.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from fedbatch.errors import InputError, IntegrityError
from fedbatch.ledger.frames import BUNDLE_ENTRIES_MAX, Erased, encode_bundle, hash_entry
from fedbatch.ledger.note import Checkpoint, parse_checkpoint, parse_note
from fedbatch.ledger.personal import check_personal
from fedbatch.ledger.policy import Verdict, check_checkpoint, judge, parse_policy
from fedbatch.ledger.tree import HASH_BYTES, root_of

__all__ = ["TILE_WIDTH", "export_folder", "tile_path", "verify_folder"]

TILE_WIDTH: Final = BUNDLE_ENTRIES_MAX


def tile_path(level: int | str, index: int, width: int = TILE_WIDTH) -> str:
    """Return the path of a tile; `level` is a number or `entries`. 1234067 is `x001/x234/067`."""
    number = f"{index % 1000:03}"
    while index := index // 1000:
        number = f"x{index % 1000:03}/{number}"
    partial = f".p/{width}" if width < TILE_WIDTH else ""
    return f"tile/{level}/{number}{partial}"


def export_folder(
    entries: Sequence[bytes | Erased], leaf_hashes: Sequence[bytes], note: bytes
) -> dict[str, bytes]:
    """Return the folder as {relative path: bytes}.

    Raises InputError where counts do not agree, IntegrityError `root` where the leaf hashes do not
    lead to the checkpoint's root: what would not verify is not handed out.
    """
    checkpoint = parse_checkpoint(parse_note(note).text)
    if not len(entries) == len(leaf_hashes) == checkpoint.size:
        raise InputError(
            f"{checkpoint.size} entries and leaf hashes",
            where="export",
            found=f"{len(entries)} and {len(leaf_hashes)}",
            code="export",
        )
    _check_root(leaf_hashes, checkpoint)
    files = {"checkpoint": note}
    for index, start in enumerate(range(0, len(entries), TILE_WIDTH)):
        group = entries[start : start + TILE_WIDTH]
        files[tile_path("entries", index, len(group))] = _join_entries(group)
    files.update(_hash_tiles(leaf_hashes))
    return files


def _check_root(leaf_hashes: Sequence[bytes], checkpoint: Checkpoint) -> None:
    if root_of(leaf_hashes) != checkpoint.root:
        raise IntegrityError(
            f"The entries do not lead to the root signed at {checkpoint.size}.", code="root"
        )


def _join_entries(entries: Sequence[bytes | Erased]) -> bytes:
    return b"".join(
        b"\0\0" if isinstance(entry, Erased) else encode_bundle([entry]) for entry in entries
    )


def _hash_tiles(leaf_hashes: Sequence[bytes]) -> Iterator[tuple[str, bytes]]:
    """Yield path and bytes of each tile of hashes: a level holds the roots of the one below."""
    hashes, level = leaf_hashes, 0
    while hashes:
        tiles = [hashes[at : at + TILE_WIDTH] for at in range(0, len(hashes), TILE_WIDTH)]
        for index, tile in enumerate(tiles):
            yield tile_path(level, index, len(tile)), b"".join(tile)
        hashes = [root_of(tile) for tile in tiles if len(tile) == TILE_WIDTH]
        level += 1


def verify_folder(files: Mapping[str, bytes], policy: bytes) -> Verdict:
    """Verify an exported ledger against the user's pinned keys; never raises for what it reads.

    Files beyond those of the layout are passed over. Erased entries are counted in `erased`.
    """
    try:
        return _verify(files, policy)
    except InputError as error:
        return Verdict("malformed", ok=False, detail=str(error))
    except IntegrityError as error:
        return Verdict(error.code, ok=False, detail=str(error))


def _verify(files: Mapping[str, bytes], policy_content: bytes) -> Verdict:
    policy = parse_policy(policy_content)
    checkpoint = check_checkpoint(_get(files, "checkpoint"), policy)
    entries: list[bytes | Erased] = []
    for start in range(0, checkpoint.size, TILE_WIDTH):
        width = min(TILE_WIDTH, checkpoint.size - start)
        entries += _read_entries(files, start // TILE_WIDTH, width)
    leaf_hashes = [hash_entry(entry) for entry in entries]
    _check_root(leaf_hashes, checkpoint)
    for path, content in _hash_tiles(leaf_hashes):
        if _get(files, path) != content:
            raise IntegrityError(f"'{path}' holds other hashes.", code="tile")
    check_personal(entries, leaf_hashes)
    erased = tuple(at for at, entry in enumerate(entries) if isinstance(entry, Erased))
    return judge(policy, f"{checkpoint.size} entries of '{checkpoint.origin}'", erased)


def _get(files: Mapping[str, bytes], path: str) -> bytes:
    content = files.get(path)
    if content is None:
        raise IntegrityError(f"'{path}' is missing.", code="missing")
    return content


def _read_entries(files: Mapping[str, bytes], index: int, width: int) -> list[bytes | Erased]:
    """Return a tile's entries, each with the leaf hash that stands in `tile/0`."""
    content = _get(files, tile_path("entries", index, width))
    hashes = _get(files, tile_path(0, index, width))
    if len(hashes) != width * HASH_BYTES:
        raise IntegrityError(f"Tile {index} of level 0 is no {width} hashes.", code="tile")
    entries: list[bytes | Erased] = []
    for at, entry in enumerate(_split_entries(content, width)):
        kept = Erased(hashes[at * HASH_BYTES : (at + 1) * HASH_BYTES])
        if entry and hash_entry(entry) != kept.leaf_hash:
            raise IntegrityError(
                f"Entry {index * TILE_WIDTH + at} has another leaf hash.", code="leaf"
            )
        entries.append(entry or kept)
    return entries


def _split_entries(content: bytes, width: int) -> list[bytes]:
    entries: list[bytes] = []
    at = 0
    while at < len(content) and len(entries) < width:
        start = at + 2
        at = start + int.from_bytes(content[at:start], "big")
        entries.append(content[start:at])
    if at != len(content) or len(entries) != width:
        raise InputError(
            f"{width} entries, each behind its length",
            where="entry tile",
            found=f"{len(content)} bytes",
            code="bundle",
        )
    return entries
