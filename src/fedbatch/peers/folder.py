"""The exchange by a folder that travels: what a link would carry, in files, where no network may be.

Each party writes a folder of its own to the other and replaces it whole: a manifest, signed with the
link key, names every file by its SHA-256. Reading it calls the same intake as a link does, so a folder
that comes twice, late or half is harmless; one that is older than the last one read is refused.
"""

import functools
import hashlib
import os
import re
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import msgspec

from fedbatch.errors import (
    ConflictError,
    FedbatchError,
    InputError,
    IntegrityError,
    MissingObjectsError,
    RefusedError,
    StoreError,
)
from fedbatch.ports import NodeStore, Partner, Signer
from fedbatch.services.agreements import Verify
from fedbatch.services.exchange import RESTORED, Exchange, Overview
from fedbatch.services.key_turns import link_key, link_keys
from fedbatch.services.replication import FRAMES_BYTES
from fedbatch.standard import canonical

__all__ = ["Carried", "Folder", "Found", "folder_notes", "is_by_folder", "keep_folder_note"]

# Of the partner's part of a folder: not there, refused, the one that was read before, or a newer one.
Found = Literal["nothing", "refused", "same", "new"]

# Changes of keys; read before the signature is judged, and believed only by the identity key's.
_KEYS = "keys"
_FILE_BYTES_MAX = 64 * 1024 * 1024
_FILES_MAX = 100_000
_NAME = re.compile(
    r"[A-Za-z0-9][A-Za-z0-9._-]{0,120}(?:/[A-Za-z0-9][A-Za-z0-9._-]{0,120}){0,3}", re.ASCII
)
_RECEIPTS_MAX = 4096


class _Said(msgspec.Struct, frozen=True, kw_only=True):
    """What a manifest signs: from whom to whom, the how-manieth, how things stand, which files."""

    kind: str
    sender: str
    receiver: str
    number: int
    overview: Overview
    files: dict[str, str]


class _Manifest(msgspec.Struct, frozen=True, kw_only=True):
    said: msgspec.Raw
    signature: str


@dataclass(slots=True, kw_only=True)
class Carried:
    """What a folder brought and took along.

    `looked_for` is the name of the partner's part; `is_expected` says, where nothing of it was found,
    that by what was exchanged before it should be there. `is_written` is False where nothing was
    written for the partner.
    """

    read: int = 0
    written: int = 0
    objects: int = 0
    refusals: list[str] = field(default_factory=list)
    looked_for: str = ""
    found: Found = "nothing"
    is_expected: bool = False
    is_written: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    """The folder between this node and one partner."""

    root: Path
    exchange: Exchange
    store: NodeStore
    partner: Partner
    signer: Signer
    verify: Verify

    @property
    def party(self) -> str:
        return self.partner.party

    def _place(self, sender: str, receiver: str) -> Path:
        return self.root / f"{sender}-to-{receiver}"

    def is_there(self) -> bool:
        """Whether the folder holds something of the exchange with this partner, of either side."""
        own, other = self.exchange.party, self.party
        return any(place.exists() for place in (self._place(own, other), self._place(other, own)))

    # ---- writing

    def write(self, carried: Carried) -> None:
        """Write what the partner lacks, as far as its receipts say; the folder before is replaced."""
        exchange = self.exchange
        target = self._place(exchange.party, self.party)
        aside = target.with_name(f".{target.name}.{os.getpid()}")
        shutil.rmtree(aside, ignore_errors=True)
        try:
            number = self._fill(aside, carried)
            if target.is_symlink():
                target.unlink()  # what it points to is somebody else's
            shutil.rmtree(target, ignore_errors=True)
            aside.rename(target)
        except OSError as error:
            reason = error.strerror or str(error)
            raise StoreError(f"{self.root} could not be written: {reason}") from error
        finally:
            shutil.rmtree(aside, ignore_errors=True)
        carried.is_written = True
        self._remember("written", number)

    def _fill(self, aside: Path, carried: Carried) -> int:
        """Write the folder aside; the how-manieth it is."""
        exchange = self.exchange
        aside.mkdir(parents=True)
        overview = exchange.overview(self.party)
        for line in overview.agreements:
            carried.written += self._write_agreement(
                aside, line.agreement, line.own, line.receipted, carried
            )
        (aside / _KEYS).write_bytes(exchange.own_key_records(self.party)[0])
        number = int(self._numbers().get("written", 0)) + 1
        self._seal(aside, overview, number)
        return number

    def _numbers(self) -> dict[str, str | int]:
        return folder_notes(self.store, self.party)

    def _remember(self, name: Literal["read", "written"], number: int) -> None:
        now = self.exchange.clock.now()
        keep_folder_note(self.store, self.party, {name: number, f"{name}_at": now})

    def _write_agreement(
        self, aside: Path, agreement: str, ledger: str, receipted: int, carried: Carried
    ) -> int:
        exchange, place = self.exchange, aside / agreement
        place.mkdir()
        for name, give in (("proposal", exchange.proposal), ("acceptance", exchange.acceptance)):
            try:
                (place / name).write_bytes(give(self.party, agreement))
            except FedbatchError:
                continue
        if not ledger:
            return 0
        size = exchange.own_ledger(self.party, agreement).size
        start, number = receipted, 0
        while start < size:
            content, start = self._frames(agreement, ledger, start)
            (place / f"frames-{number:06d}").write_bytes(content)
            number += 1
        for sha256 in exchange.objects_since(self.party, agreement, receipted):
            (place / f"object-{sha256}").write_bytes(
                exchange.whole_object(self.party, agreement, sha256)
            )
            carried.objects += 1
        (place / "receipts").write_bytes(exchange.receipts(self.party, agreement, _RECEIPTS_MAX))
        return size - receipted

    def _frames(self, agreement: str, ledger: str, start: int) -> tuple[bytes, int]:
        content = self.exchange.give(self.party, agreement, ledger, start, FRAMES_BYTES)
        return content, self.exchange.end_of(content)

    def _seal(self, aside: Path, overview: Overview, number: int) -> None:
        files = {
            str(path.relative_to(aside)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(aside.rglob("*"))
            if path.is_file()
        }
        said = canonical.encode(
            _Said(
                kind="fedbatch-folder/1",
                sender=self.exchange.party,
                receiver=self.party,
                number=number,
                overview=overview,
                files=files,
            )
        )
        # The newest key, whether the partner has heard of it or not: its record travels with it.
        partner = self.exchange.partner(self.party)
        key = link_key(partner, self.signer.signing(f"link/{self.party}"), is_newest=True)
        signature = self.signer.sign_with(key, b"fedbatch-folder/1\n" + said).hex()
        manifest = _Manifest(said=msgspec.Raw(said), signature=signature)
        (aside / "manifest.json").write_bytes(msgspec.json.encode(manifest))

    # ---- reading

    def read(self, carried: Carried) -> None:
        """Take in what the partner's folder holds; none there is no fault.

        Raises:
            InputError: not a folder of the exchange, or damaged.
            IntegrityError: not signed by the partner.
            ConflictError: older than one that was read.
        """
        place = self._place(self.party, self.exchange.party)
        carried.looked_for = place.name
        if not place.exists():
            carried.is_expected = self._is_expected()
            return
        carried.found = "refused"
        seen = int(self._numbers().get("read", 0))
        said = self._manifest(place)
        files = {name: self._file(place, name, sha256) for name, sha256 in said.files.items()}
        if not self.exchange.partner(self.party).confirmed_here:
            carried.refusals.append(f"{self.partner.name}: `fedbatch confirm` first")
            return
        if said.overview.confirmed:
            self.exchange.note_confirmation(self.party)
        self._read_keys(files, carried)
        self._try(carried, "", lambda: self.exchange.hear(self.party, said.overview))
        here = {item.agreement: item for item in self.exchange.overview(self.party).agreements}
        for line in said.overview.agreements:
            own = here.get(line.agreement)
            if own is not None and own.stopped == RESTORED:
                carried.refusals.append(
                    f"{line.agreement} rebuild.behind: it was restored, and lacks entries that "
                    f"{self.partner.name} holds; a folder brings none of them back"
                )
                continue
            self._read_agreement(place, files, line.agreement, line.own, carried)
        carried.found = "same" if said.number == seen else "new"
        self._remember("read", said.number)

    def _is_expected(self) -> bool:
        """Whether the partner's part should be there: each replaces its own and leaves the other's.

        Where it was never read, this node's own from last time is to be expected, unless the two are
        linked and the folder was never theirs.
        """
        noted = self._numbers()
        if int(noted.get("read", 0)):
            return True
        is_linked = self.partner.dials or bool(self.store.link(self.party).get("contact"))
        own = self._place(self.exchange.party, self.party)
        return bool(noted.get("written")) and not is_linked and not own.exists()

    def _manifest(self, place: Path) -> _Said:
        content = _read_bounded(place / "manifest.json")
        try:
            manifest = msgspec.json.decode(content, type=_Manifest)
            signature = bytes.fromhex(manifest.signature)
        except (msgspec.DecodeError, ValueError) as error:
            raise InputError(
                "a manifest", where=str(place), found=str(error), code="folder"
            ) from error
        said = bytes(manifest.said)
        message = b"fedbatch-folder/1\n" + said
        if not any(self.verify(key, message, signature) for key in self._link_keys(place)):
            raise IntegrityError(
                f"{place.name} is not signed by {self.partner.name}", code="signature"
            )
        told = canonical.parse(said, _Said, "manifest")
        if (told.sender, told.receiver) != (self.party, self.exchange.party):
            raise InputError(
                "a folder for this party", where=place.name, found=told.receiver, code="folder"
            )
        seen = int(self._numbers().get("read", 0))
        if told.number < seen:
            raise ConflictError(
                f"folder {told.number} is older than {seen}, which was read", code="folder.older"
            )
        if len(told.files) > _FILES_MAX or not all(map(_NAME.fullmatch, told.files)):
            raise InputError("names of files", where=place.name, found="others", code="folder")
        return told

    def _link_keys(self, place: Path) -> list[bytes]:
        """The partner's link keys that count, and the one that its folder's own records name."""
        partner = self.exchange.partner(self.party)
        keys = [*link_keys(partner, self.exchange.clock.seconds())]
        if (place / _KEYS).is_file():
            newest = self.exchange.offered_link_key(self.party, _read_bounded(place / _KEYS))
            keys += [newest] if newest is not None else []
        return keys

    def _read_keys(self, files: dict[str, Path], carried: Carried) -> None:
        path = files.get(_KEYS)
        if path is not None:
            content = _read_bounded(path)
            take = functools.partial(self.exchange.take_key_records, self.party, content)
            self._try(carried, "", take)

    def _file(self, place: Path, name: str, sha256: str) -> Path:
        path = place / name
        if hashlib.sha256(_read_bounded(path)).hexdigest() != sha256:
            raise InputError(
                "the file that was signed", where=name, found="another", code="folder.damaged"
            )
        return path

    def _read_agreement(
        self, place: Path, files: dict[str, Path], agreement: str, ledger: str, carried: Carried
    ) -> None:
        exchange = self.exchange
        del place

        def content(name: str) -> bytes | None:
            path = files.get(f"{agreement}/{name}")
            return _read_bounded(path) if path is not None else None

        proposal, acceptance, receipts = map(content, ("proposal", "acceptance", "receipts"))
        if proposal is not None:
            self._try(carried, agreement, lambda: self._propose(agreement, proposal))
        if acceptance is not None:
            self._try(
                carried,
                agreement,
                lambda: exchange.take_acceptance(self.party, agreement, acceptance),
            )
        names = sorted(name for name in files if name.startswith(f"{agreement}/frames-"))
        for name in names if ledger else ():
            take = functools.partial(self._take, agreement, ledger, files[name], files, carried)
            self._try(carried, agreement, take)
        if receipts:
            self._try(
                carried, agreement, lambda: exchange.keep_receipts(self.party, agreement, receipts)
            )

    def _propose(self, agreement: str, content: bytes) -> None:
        try:
            self.exchange.take_proposal(self.party, agreement, content)
        except ConflictError as error:
            if error.code != "agreement.version":
                raise

    def _take(
        self, agreement: str, ledger: str, path: Path, files: dict[str, Path], carried: Carried
    ) -> None:
        frames = _read_bounded(path)
        without: set[str] = set()
        while True:
            try:
                replica = self.exchange.take(self.party, agreement, ledger, frames, without=without)
            except MissingObjectsError as error:
                if not error.missing.keys().isdisjoint(without):
                    raise
                without |= self._bring(agreement, error.missing, files)
            else:
                carried.read += replica.new
                return

    def _bring(self, agreement: str, missing: Iterable[str], files: dict[str, Path]) -> set[str]:
        """Take objects from the folder; those that are not in it."""
        absent = set()
        for sha256 in missing:
            path = files.get(f"{agreement}/object-{sha256}")
            if path is None:
                absent.add(sha256)
                continue
            start = self.exchange.arrived(self.party, agreement, sha256)
            content = _read_bounded(path)
            self.exchange.take_object(self.party, agreement, sha256, start, content[start:])
        return absent

    def _try(self, carried: Carried, agreement: str, call: Callable[[], object]) -> None:
        """One agreement's fault holds no other up."""
        try:
            call()
        except (InputError, IntegrityError, ConflictError, RefusedError) as error:
            carried.refusals.append(f"{agreement} {error.code}: {error}".strip())


def folder_notes(store: NodeStore, party: str) -> dict[str, str | int]:
    """What is noted of a partner's folder, apart from how a link to it stands.

    `written` and `read`: the how-manieth was the last; `written_at` and `read_at`: when;
    `paired_at`: when the two paired by folder.
    """
    return store.link(f"{party}/folder")


def is_by_folder(store: NodeStore, partner: Partner) -> bool:
    """Whether what is exchanged with a partner travels in a folder: no link has brought anything later."""
    noted = folder_notes(store, partner.party)
    last = max(str(noted.get("paired_at", "")), str(noted.get("read_at", "")))
    contact = str(store.link(partner.party).get("contact", ""))
    return bool(last) and not partner.dials and contact <= last


def keep_folder_note(store: NodeStore, party: str, noted: dict[str, str | int]) -> None:
    """Note something more of a partner's folder."""
    store.keep_link(f"{party}/folder", {**folder_notes(store, party), **noted})


def _read_bounded(path: Path) -> bytes:
    """A file's bytes; what is no plain file, or too large, is refused before it is read."""
    if path.is_symlink() or not path.is_file():
        raise InputError("a file", where=path.name, found="none", code="folder.damaged")
    size = path.stat().st_size
    if size > _FILE_BYTES_MAX:
        raise InputError(
            f"at most {_FILE_BYTES_MAX} bytes", where=path.name, found=str(size), code="folder.size"
        )
    return path.read_bytes()
