"""The keys of a home: what there is, sealed into a backup, and brought back from one."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from fedbatch.errors import ConflictError, InputError, expectation
from fedbatch.node.home import Home
from fedbatch.node.settings import Settings, load_settings, not_empty, write_settings
from fedbatch.ports import AuditNote, Clock, KnownAgreement, Partner, Person
from fedbatch.services.key_turns import records_of
from fedbatch.services.pairing import fingerprint
from fedbatch.standard import canonical
from fedbatch.standard.key_records import KeyRecord
from fedbatch.standard.values import in_time
from fedbatch.store.key_backup import COST, open_sealed, seal
from fedbatch.store.keys import KeyFile, KeyRing
from fedbatch.store.objects import write_durably

__all__ = ["KeyRow", "KeysRestored", "back_up_keys", "list_keys", "restore_keys"]

_NS = 10**9
_DAY_S = 24 * 3600


class KeyRow(msgspec.Struct, kw_only=True):
    """A key or secret of this home. `about` is the partner or agreement; `age_days` whole days."""

    name: str
    purpose: str
    about: str
    made_at: str
    age_days: int
    fingerprint: str
    state: str


class _File(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    made_ns: int
    content: bytes


class _Backup(msgspec.Struct, frozen=True, kw_only=True):
    """What is sealed: the files of the key folder, and who this party is and knows.

    Partners' pins are no secret; without them restored keys would fit no partner.
    """

    made_at: str
    settings: Settings
    persons: tuple[Person, ...]
    partners: tuple[Partner, ...]
    agreements: tuple[KnownAgreement, ...]
    files: tuple[_File, ...]


class KeysRestored(msgspec.Struct, kw_only=True):
    """What a key backup brought back; `replaced` are files that were damaged, or others on request."""

    party: str
    made_at: str
    restored: list[str]
    replaced: list[str]
    unchanged: int
    is_new_home: bool


# ---- what there is


def _instant(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _purpose(name: str) -> tuple[str, str]:
    """Purpose of a key file, and the partner's or agreement's id."""
    stem = name.rpartition(".")[0]
    kind, _, rest = stem.partition("/")
    if kind == "agreement":
        agreement, _, purpose = rest.partition("/")
        return (purpose.partition("-")[0] or "pseudonyms", agreement)
    if kind == "link":
        return "link", _without_number(rest)
    return {"party": "pseudonyms", "tls": "TLS"}.get(stem, stem), ""


def _without_number(name: str) -> str:
    """A partner's id without the number of a further key: ids of parties end in 16 hex digits."""
    stem, _, number = name.rpartition("-")
    return stem if number.isdecimal() and "-" in stem else name


def list_keys(home: Home) -> list[KeyRow]:
    """Every key and secret of a home, by name."""
    partners = {item.party: item.name for item in home.node.partners()}
    agreements = {item.agreement: item.name for item in home.node.agreements()}
    states = _states(home)
    rows = []
    for item in home.keys.files():
        if item.name.endswith(".crt"):
            continue
        purpose, about = _purpose(item.name)
        rows.append(
            KeyRow(
                name=item.name,
                purpose=purpose,
                about=partners.get(about) or agreements.get(about) or about,
                made_at=_instant(item.made_ns // _NS),
                age_days=max(0, home.clock.seconds() - item.made_ns // _NS) // _DAY_S,
                fingerprint=_fingerprint(item),
                state=_state(item, states),
            )
        )
    return rows


def _fingerprint(item: KeyFile) -> str:
    """A key's by its public half; a secret has none that could be read out without giving it away."""
    return fingerprint(item.public) if item.public is not None else ""


def _states(home: Home) -> dict[str, str]:
    """What key records say of keys, by the public key in hex; of those never changed, nothing."""
    records = [record for partner in home.node.partners() for record in partner.own_links]
    for known in home.node.agreements():
        records += records_of(home.ledgers(known.agreement))
    chains: dict[tuple[str, ...], list[KeyRecord]] = {}
    for record in records:
        ledger = record.ledger if record.purpose == "ledger" else ""
        chain = (record.purpose, record.partner, record.agreement, ledger)
        chains.setdefault(chain, []).append(record)
    now = in_time(home.clock.now())
    states = {record.new: "current" for record in records}
    for made in chains.values():
        following = [*made[1:], None]
        states.update(
            {
                one.old: _old_state(one, after, now)
                for one, after in zip(made, following, strict=True)
            }
        )
    return states


def _old_state(record: KeyRecord, after: KeyRecord | None, now: str) -> str:
    """How the old key of a change stands: the next change ends what time it still had."""
    if record.kind == "revocation":
        return "revoked"
    if after is not None and in_time(after.at) < in_time(record.until):
        return "revoked" if after.kind == "revocation" else "retired"
    return f"gives way until {record.until}" if now < in_time(record.until) else "retired"


def _state(item: KeyFile, states: Mapping[str, str]) -> str:
    if not item.is_whole:
        return "damaged"
    return states.get(item.public.hex(), "current") if item.public is not None else "current"


# ---- backup


def back_up_keys(
    home: Home, by: Person, path: Path, passphrases: Sequence[str], *, cost: int = COST
) -> int:
    """Seal all keys and agreement secrets under two passphrases; how many files those were.

    `cost` is scrypt's n; only tests take less.

    Raises:
        InputError: a damaged key, or passphrases that do not need two officers.
    """
    damaged = home.keys.verify()
    if damaged:
        raise InputError("whole key files", found="; ".join(damaged), code="key")
    files = home.keys.files()
    now = home.clock.now()
    content = msgspec.json.encode(
        _Backup(
            made_at=now,
            settings=home.settings,
            persons=tuple(home.node.persons()),
            partners=tuple(home.node.partners()),
            agreements=tuple(home.node.agreements()),
            files=tuple(_File(name=f.name, made_ns=f.made_ns, content=f.content) for f in files),
        )
    )
    write_durably(path, seal(content, passphrases, cost=cost), mode=0o600)
    detail = f"{len(files)} files"
    home.node.note(AuditNote(act="back up keys", by=by.person, time=now, detail=detail))
    return len(files)


# ---- restore


def restore_keys(
    path: Path,
    content: bytes,
    passphrases: Sequence[str],
    *,
    replaces: bool = False,
    clock: Clock | None = None,
) -> KeysRestored:
    """Bring keys back into a home, or into a new one where there is none.

    Args:
        path: the home.
        content: the backup.
        passphrases: of the two officers.
        replaces: whether a whole key that differs gives way; it is kept beside, under another name.
        clock: in tests.

    Raises:
        InputError: not a backup that these passphrases open.
        ConflictError: another party's home, or a key that differs; nothing was written.
    """
    backup = _read(open_sealed(content, passphrases))
    is_new = not (path / "node.sqlite").exists()
    if not (path / "node.toml").exists():
        _check_empty(path)
    elif load_settings(path).party != backup.settings.party:
        raise ConflictError(
            expectation(
                f"a home of {backup.settings.name} ({backup.settings.party}), whose backup it is",
                str(path),
                load_settings(path).party,
                "Restore into a new folder: --home.",
            ),
            code="keys.party",
        )
    ring = KeyRing(path / "keys")
    report = _compare(ring, backup, replaces=replaces)
    if not (path / "node.toml").exists():
        _begin_home(path, backup)
    _write_files(ring, backup, report)
    with Home(path, clock=clock, is_new=is_new) as home:
        _bring_back_node(home, backup, report, is_new=is_new)
    report.is_new_home = is_new
    return report


def _read(content: bytes) -> _Backup:
    return canonical.parse_flat(content, _Backup, "key backup")


def _check_empty(path: Path) -> None:
    if path.exists() and any(item.name != "keys" for item in path.iterdir()):
        raise ConflictError(not_empty(path), code="home.not_empty")


def _compare(ring: KeyRing, backup: _Backup, *, replaces: bool) -> KeysRestored:
    """What is to be written, before anything is.

    Raises:
        ConflictError: a key that differs.
    """
    here = {item.name: item for item in ring.files()}
    report = KeysRestored(
        party=backup.settings.party,
        made_at=backup.made_at,
        restored=[],
        replaced=[],
        unchanged=0,
        is_new_home=False,
    )
    differing = []
    for item in backup.files:
        known = here.get(item.name)
        if known is None:
            report.restored.append(item.name)
        elif known.content == item.content:
            report.unchanged += 1
        else:
            report.replaced.append(item.name)
            if known.is_whole:
                differing.append(item.name)
    if differing and not replaces:
        raise ConflictError(
            expectation(
                "the keys of the backup, or none",
                ", ".join(differing),
                "other keys",
                "--replace sets them aside.",
            ),
            code="keys.differ",
        )
    return report


def _begin_home(path: Path, backup: _Backup) -> None:
    path.mkdir(parents=True, exist_ok=True)
    path.chmod(0o700)
    write_settings(path, backup.settings)


def _write_files(ring: KeyRing, backup: _Backup, report: KeysRestored) -> None:
    label = f"replaced-{_label(backup.made_at)}"
    for name in report.replaced:
        ring.set_aside(name, label)
    wanted = {*report.restored, *report.replaced}
    for item in backup.files:
        if item.name in wanted:
            ring.put_back(KeyFile(name=item.name, content=item.content, made_ns=item.made_ns))


def _label(instant: str) -> str:
    """An instant as part of a file's name."""
    return "".join(sign for sign in instant if sign.isalnum())


def _bring_back_node(home: Home, backup: _Backup, report: KeysRestored, *, is_new: bool) -> None:
    """Into a new home come people, partners' pins and agreements known; a journal begins anew."""
    now = home.clock.now()
    detail = f"{len(report.restored)} restored, {len(report.replaced)} replaced"
    note = AuditNote(act="restore keys", by="node", time=now, detail=detail)
    if is_new:
        home.journal.size()
        for person in backup.persons:
            home.node.add_person(person, note)
        for partner in backup.partners:
            home.node.save_partner(partner, note)
        for known in backup.agreements:
            home.ledgers(known.agreement).mark_restored()
            home.node.save_agreement(known, note)
    home.node.note(note)
