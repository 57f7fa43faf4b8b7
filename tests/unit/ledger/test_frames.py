import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fedbatch.errors import InputError
from fedbatch.ledger.frames import (
    BUNDLE_BYTES_MAX,
    PACKED_BYTES_MAX,
    Erased,
    Frame,
    decode_bundle,
    decode_frames,
    encode_bundle,
    encode_frame,
    hash_entry,
)
from fedbatch.ledger.note import NOTE_BYTES_MAX
from fedbatch.ledger.tree import leaf_hash

HASH = bytes(range(32))
entries = st.lists(
    st.one_of(st.binary(min_size=1, max_size=40), st.binary(min_size=32, max_size=32).map(Erased)),
    max_size=12,
)


def test_bundle_has_a_length_before_each_entry_and_a_hash_for_an_erased_one() -> None:
    content = encode_bundle([b"abc", Erased(HASH), b"z" * 300])
    assert content == b"\x00\x03abc" + b"\x00\x00" + HASH + b"\x01\x2c" + b"z" * 300
    assert decode_bundle(content, 3) == [b"abc", Erased(HASH), b"z" * 300]


@given(listed=entries)
@settings(max_examples=80)
def test_bundles_survive_and_admit_no_other_count(listed: list[bytes | Erased]) -> None:
    content = encode_bundle(listed)
    assert decode_bundle(content, len(listed)) == listed
    for count in {len(listed) - 1, len(listed) + 1} - {-1}:
        with pytest.raises(InputError) as refusal:
            decode_bundle(content, count)
        assert refusal.value.code == "bundle"


@given(listed=entries, data=st.data())
@settings(max_examples=80)
def test_cut_or_lengthened_bundle_is_refused(
    listed: list[bytes | Erased], data: st.DataObject
) -> None:
    content = encode_bundle(listed)
    with pytest.raises(InputError):
        decode_bundle(content + b"\0", len(listed))
    if content:
        with pytest.raises(InputError):
            decode_bundle(content[: data.draw(st.integers(0, len(content) - 1))], len(listed))


def test_bundle_holds_256_entries_of_65_535_bytes() -> None:
    largest = [b"x" * 65_535] * 256
    content = encode_bundle(largest)
    assert len(content) == BUNDLE_BYTES_MAX == 16_777_472
    assert decode_bundle(content, 256) == largest
    with pytest.raises(InputError) as refusal:
        encode_bundle([b"x"] * 257)
    assert (refusal.value.code, refusal.value.found) == ("bundle", "257")
    with pytest.raises(InputError):
        decode_bundle(encode_bundle([b"x"] * 256) + b"\x00\x01x", 257)
    with pytest.raises(InputError):
        decode_bundle(b"", -1)


@pytest.mark.parametrize("length", [0, 65_536])
def test_entry_of_a_length_that_cannot_be_written_is_refused(length: int) -> None:
    with pytest.raises(InputError) as refusal:
        encode_bundle([bytes(length)])
    assert (refusal.value.code, refusal.value.found) == ("bundle", str(length))
    with pytest.raises(InputError) as refusal:
        hash_entry(bytes(length))
    assert (refusal.value.code, refusal.value.found) == ("entry", f"{length} bytes")


def test_erased_entry_keeps_its_leaf_hash() -> None:
    assert hash_entry(b"abc") == leaf_hash(b"abc")
    assert hash_entry(bytes(65_535)) == leaf_hash(bytes(65_535))
    assert hash_entry(Erased(HASH)) == HASH
    with pytest.raises(InputError) as refusal:
        Erased(HASH[:-1])
    assert refusal.value.code == "entry"


def test_frame_is_laid_out_as_documented() -> None:
    frame = Frame(512, 2, b"packed", b"note!")
    content = encode_frame(frame)
    assert (
        content == bytes(6) + b"\x02\x00" + b"\x00\x02" + b"\0\0\0\6" + b"\0\0\0\5" + b"packednote!"
    )
    other = Frame(514, 256, b"", b"")
    assert list(decode_frames(content + encode_frame(other))) == [frame, other]
    assert list(decode_frames(b"")) == []


@pytest.mark.parametrize("cut", range(1, 29))
def test_cut_frame_is_refused(cut: int) -> None:
    content = encode_frame(Frame(512, 2, b"packed", b"note!"))
    with pytest.raises(InputError) as refusal:
        list(decode_frames(content[:-cut]))
    assert refusal.value.code == "frame"


def test_frame_has_bounds() -> None:
    assert (PACKED_BYTES_MAX, NOTE_BYTES_MAX) == (16_908_544, 262_144)
    for frame in (
        Frame(0, 1, b"", b""),
        Frame(2**63 - 2, 1, b"", bytes(NOTE_BYTES_MAX)),
        Frame(0, 1, bytes(PACKED_BYTES_MAX), b""),
    ):
        assert list(decode_frames(encode_frame(frame))) == [frame]
    for frame in (
        Frame(0, 0, b"", b""),
        Frame(0, 257, b"", b""),
        Frame(-1, 1, b"", b""),
        Frame(2**63 - 1, 1, b"", b""),
        Frame(0, 1, b"", bytes(NOTE_BYTES_MAX + 1)),
        Frame(0, 1, bytes(PACKED_BYTES_MAX + 1), b""),
    ):
        with pytest.raises(InputError) as refusal:
            encode_frame(frame)
        assert refusal.value.code == "frame"
    head = bytes(8) + b"\0\1" + (PACKED_BYTES_MAX + 1).to_bytes(4, "big") + bytes(4)
    with pytest.raises(InputError):  # refused by its head, before the body has to be there
        list(decode_frames(head))
