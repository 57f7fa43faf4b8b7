"""Exchange by a folder: every partner whose folder lies there, and pairing by files before.

A folder travels to one partner, and nothing in it is encrypted: what is written for another would be
read by who carries it. So with several partners, only those are written for that the folder already
holds something of, or that are named.
"""

import hashlib
from pathlib import Path

from fedbatch.errors import ConflictError, FedbatchError, InputError, expectation
from fedbatch.node.home import Home
from fedbatch.peers.folder import Carried, Folder, is_by_folder, keep_folder_note
from fedbatch.ports import Partner
from fedbatch.services import pairing
from fedbatch.standard import canonical
from fedbatch.store.keys import is_signed

__all__ = [
    "answer_into_folder",
    "awaits_reply",
    "carry",
    "check_is_linked",
    "entries_in",
    "is_strange",
]

_NAMES_SHOWN = 3
_PAIRING_BYTES_MAX = 16 * 1024


def answer_into_folder(home: Home, invitation: bytes, root: Path) -> Path:
    """Answer an invitation by a file in a folder, for an inviter that nobody can dial."""
    invited = pairing.read_invitation(invitation, home.clock.seconds())
    answer = pairing.answer_invitation(home.pairing, invited)
    place = root / "pairing"
    place.mkdir(parents=True, exist_ok=True)
    name = hashlib.sha256(answer.code_sha256.encode()).hexdigest()[:16]
    # The code itself stays here: whoever carries the folder must not be able to answer in our stead.
    (home.path / f"invitation-{name}.json").write_bytes(invitation)
    path = place / f"{name}.answer"
    path.write_bytes(canonical.encode(answer))
    return path


def entries_in(root: Path) -> str:
    """What lies in a folder, as a person is told it: a few names, and how many more."""
    if not root.is_dir():
        raise InputError("a folder", where=str(root), found="none", code="folder.none")
    names = sorted(path.name for path in root.iterdir())
    more = len(names) - _NAMES_SHOWN
    shown = ", ".join(names[:_NAMES_SHOWN])
    return (f"{shown} and {more} more" if more > 0 else shown) or "nothing"


def awaits_reply(home: Home, root: Path) -> bool:
    """Whether an answer of this node to an invitation lies in the folder, without its reply yet."""
    answers = (root / "pairing").glob("*.answer")
    return any((home.path / f"invitation-{path.stem}.json").exists() for path in answers)


def check_is_linked(home: Home, partner: Partner) -> None:
    """Refuse what needs a link where only a folder travels.

    Raises:
        ConflictError: what is exchanged with the partner travels in a folder.
    """
    if is_by_folder(home.node, partner):
        raise ConflictError(
            expectation(
                "a partner that a link reaches",
                "",
                f"{partner.name}, with whom a folder travels",
                "A folder brings nothing back that was lost. Restore the newest backup (`fedbatch "
                f"restore`), then sync with the folder; what {partner.name} holds beyond it, it can "
                "hand over as files that prove themselves (`fedbatch export ledger --received`).",
            ),
            code="rebuild.folder",
        )


def is_strange(outcome: dict[str, Carried]) -> bool:
    """Whether a folder held nothing of any partner, and something of one was to be expected."""
    held = any(item.found != "nothing" for item in outcome.values())
    return not held and any(item.is_expected for item in outcome.values())


def carry(home: Home, root: Path, by: str, only: str | None = None) -> dict[str, Carried]:
    """Read what partners wrote into a folder, then write for them; by partner's name.

    Args:
        home: this home.
        root: the folder.
        by: who does it.
        only: only this partner, by name or party id; it is written for whatever lies there.

    Raises:
        InputError: no folder, or no such partner.
    """
    if not root.is_dir():
        raise InputError("a folder", where=str(root), found="none", code="folder.none")
    _pair(home, root, by)
    outcome = {}
    partners = home.node.partners()
    for partner in partners if only is None else [home.partner_named(only)]:
        folder = _folder(home, root, partner)
        carried = outcome[partner.name] = Carried()
        is_meant = only is not None or len(partners) == 1 or folder.is_there()
        try:
            folder.read(carried)
        except FedbatchError as error:
            carried.refusals.append(f"{error.code}: {error}")
        if is_meant and home.exchange.partner(partner.party).confirmed_here:
            folder.write(carried)
    return outcome


def _folder(home: Home, root: Path, partner: Partner) -> Folder:
    return Folder(
        root=root,
        exchange=home.exchange,
        store=home.node,
        partner=partner,
        signer=home.keys,
        verify=is_signed,
    )


def _pair(home: Home, root: Path, by: str) -> None:
    """Take answers to own invitations, and replies to own answers."""
    for path in sorted((root / "pairing").glob("*.answer")):
        reply = path.with_suffix(".reply")
        if (home.path / f"invitation-{path.stem}.json").exists() or reply.exists():
            continue
        answer = canonical.parse(_small(path), pairing.Answer, "pairing")
        try:
            taken = pairing.take_introduction(home.pairing, answer)
        except FedbatchError:
            continue  # somebody else's invitation, or one used before
        reply.write_bytes(canonical.encode(taken))
        _note_pairing(home, answer.introduction.party)
    for path in sorted((root / "pairing").glob("*.reply")):
        own = home.path / f"invitation-{path.stem}.json"
        if not own.exists():
            continue
        invited = pairing.read_invitation(own.read_bytes(), home.clock.seconds())
        reply_content = canonical.parse(_small(path), pairing.Answer, "pairing")
        try:
            pairing.take_answer(home.pairing, invited, reply_content, "", by)
        except ConflictError as error:
            if error.code != "pairing.paired":
                raise
        else:
            _note_pairing(home, invited.party)
        own.unlink()


def _note_pairing(home: Home, party: str) -> None:
    keep_folder_note(home.node, party, {"paired_at": home.clock.now()})


def _small(path: Path) -> bytes:
    if path.is_symlink() or path.stat().st_size > _PAIRING_BYTES_MAX:
        raise InputError(
            "an answer to an invitation", where=path.name, found="more", code="folder.size"
        )
    return path.read_bytes()
