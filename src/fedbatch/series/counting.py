"""What counts of several tellings of one series (STANDARD S40)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fedbatch.series.blocks import Block, between
from fedbatch.series.comparing import compare

__all__ = ["Piece", "Shown", "reckon"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    block: Block
    index: int
    is_file: bool
    window: tuple[int, int] | None = None
    is_late: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    block: Block


def reckon(pieces: Sequence[Piece], *, precedence: str) -> Shown:
    shown = Block(np.empty(0, dtype=np.int64), {})
    for piece in pieces:
        if piece.window is not None:
            a, b = piece.window
            shown = merge_([between(shown, -(1 << 62), a), piece.block, between(shown, b, 1 << 62)])
        else:
            shown = merge_([shown, compare(shown, piece.block).new])
    return Shown(block=shown)


def merge_(blocks: Sequence[Block]) -> Block:
    from fedbatch.series.blocks import merge

    return merge([b for b in blocks if b.times.size])
