"""The node's own database: people, partner nodes, invitations, agreements known, links, audit."""

from pathlib import Path

import msgspec

from fedbatch.errors import ConflictError
from fedbatch.ports import AuditNote, Invitation, KnownAgreement, Partner, Person
from fedbatch.standard import canonical
from fedbatch.store.audit import audit_rows, verify_audit, write_audit
from fedbatch.store.database import AUDIT_TABLE, Database

__all__ = ["NodeDatabase"]

_CONTENT_TABLES = "\n".join(
    f"create table {table} ({key} text primary key, content blob not null, row_hash blob not null)"
    " strict, without rowid;"
    for table, key in (
        ("person", "person"),
        ("partner", "party"),
        ("invitation", "code_sha256"),
        ("agreement", "agreement"),
        ("link", "party"),
    )
)
_MIGRATIONS = (
    f"""
{AUDIT_TABLE}
{_CONTENT_TABLES}
create table nonce (
    nonce text primary key, created integer not null, row_hash blob not null
) strict, without rowid;
create index nonce_created on nonce (created);
""",
)


class NodeDatabase:
    """What a node knows besides journal and ledgers."""

    def __init__(self, path: Path, *, vfs: str | None = None) -> None:
        self._database = Database(path, _MIGRATIONS, vfs=vfs)

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def _write(self, table: str, key: str, item: object, note: AuditNote) -> None:
        with self._database.writing():
            row = (key, canonical.encode(item))
            self._database.insert(table, [row], conflict="replace")
            write_audit(self._database, note)

    def _all(self, table: str) -> list[bytes]:
        sql = f"select content from {table} order by 1"  # noqa: S608 - a table of ours
        return [bytes(row[0]) for row in self._database.rows(sql)]

    # ---- people

    def add_person(self, person: Person, note: AuditNote) -> None:
        """Add a person or change one; ids are never used again for another."""
        self._write("person", person.person, person, note)

    def persons(self) -> list[Person]:
        """Everybody, in the order of their ids."""
        return [msgspec.json.decode(item, type=Person) for item in self._all("person")]

    # ---- partners

    def save_partner(self, partner: Partner, note: AuditNote) -> None:
        """Keep a partner; its identity key never changes here."""
        known = self.find_partner(partner.party)
        if known is not None and known.identity_key != partner.identity_key:
            raise ConflictError(
                f"{known.name} is pinned with another identity key", code="partner.pinned"
            )
        self._write("partner", partner.party, partner, note)

    def partners(self) -> list[Partner]:
        """Every partner, paired or half-way."""
        return [msgspec.json.decode(item, type=Partner) for item in self._all("partner")]

    def find_partner(self, party: str) -> Partner | None:
        """A partner by its party id, or None."""
        row = self._database.row("select content from partner where party = ?", (party,))
        return msgspec.json.decode(row[0], type=Partner) if row else None

    # ---- invitations

    def save_invitation(self, invitation: Invitation, note: AuditNote) -> None:
        """Keep an invitation, or mark it used."""
        self._write("invitation", invitation.code_sha256, invitation, note)

    def find_invitation(self, code_sha256: str) -> Invitation | None:
        """An invitation by the SHA-256 of its code."""
        row = self._database.row(
            "select content from invitation where code_sha256 = ?", (code_sha256,)
        )
        return msgspec.json.decode(row[0], type=Invitation) if row else None

    # ---- agreements

    def save_agreement(self, agreement: KnownAgreement, note: AuditNote) -> None:
        """Remember an agreement."""
        self._write("agreement", agreement.agreement, agreement, note)

    def agreements(self) -> list[KnownAgreement]:
        """Every agreement, whatever its state."""
        return [msgspec.json.decode(item, type=KnownAgreement) for item in self._all("agreement")]

    def generation(self) -> int:
        """How many acts there were: it grows with each change of a person, partner or agreement.

        Links and nonces, which change with every request, leave it as it is.
        """
        row = self._database.row("select coalesce(max(position), 0) from audit")
        return int(row[0]) if row else 0

    # ---- links and nonces

    def keep_link(self, party: str, content: dict[str, str | int]) -> None:
        """Keep how the link to a partner stands: last contact, failures, what the partner refused."""
        with self._database.writing():
            row = (party, canonical.encode(content))
            self._database.insert("link", [row], conflict="replace")

    def link(self, party: str) -> dict[str, str | int]:
        """How the link to a partner stands."""
        row = self._database.row("select content from link where party = ?", (party,))
        return msgspec.json.decode(row[0], type=dict[str, str | int]) if row else {}

    def burn_nonce(self, nonce: str, now: int, keep_s: int) -> bool:
        """Remember a nonce; False where it came before. Older ones than `keep_s` are forgotten."""
        with self._database.writing():
            self._database.execute("delete from nonce where created < ?", (now - keep_s,))
            if self._database.row("select 1 from nonce where nonce = ?", (nonce,)) is not None:
                return False
            self._database.insert("nonce", [(nonce, now)])
        return True

    # ---- audit

    def audit(self) -> list[AuditNote]:
        """The trail of what was done to this node."""
        return audit_rows(self._database)

    def note(self, note: AuditNote) -> None:
        """Add an act that changes nothing else here."""
        with self._database.writing():
            write_audit(self._database, note)

    def verify(self) -> list[str]:
        """What is wrong here, place by place."""
        return self._database.find_damage(lambda: verify_audit(self._database))
