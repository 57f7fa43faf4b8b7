"""Exchange by a folder: every partner whose folder lies there, and pairing by files before."""

import hashlib
from pathlib import Path

from fedbatch.errors import ConflictError, FedbatchError, InputError
from fedbatch.node.home import Home
from fedbatch.peers.folder import Carried, Folder
from fedbatch.ports import Partner
from fedbatch.services import pairing
from fedbatch.standard import canonical
from fedbatch.store.keys import is_signed

__all__ = ["answer_into_folder", "carry"]

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


def carry(home: Home, root: Path, by: str) -> dict[str, Carried]:
    """Read what partners wrote into a folder, then write for them; by partner's name."""
    if not root.is_dir():
        raise InputError("a folder", where=str(root), found="none", code="folder.none")
    _pair(home, root, by)
    outcome = {}
    for partner in home.node.partners():
        folder = _folder(home, root, partner)
        carried = outcome[partner.name] = Carried()
        try:
            folder.read(carried)
        except FedbatchError as error:
            carried.refusals.append(f"{error.code}: {error}")
        if home.exchange.partner(partner.party).confirmed_here:
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
        own.unlink()


def _small(path: Path) -> bytes:
    if path.is_symlink() or path.stat().st_size > _PAIRING_BYTES_MAX:
        raise InputError(
            "an answer to an invitation", where=path.name, found="more", code="folder.size"
        )
    return path.read_bytes()
