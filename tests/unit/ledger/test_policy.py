import pytest

from fedbatch.errors import InputError
from fedbatch.ledger.note import COSIGNING, SIGNING, VerifierKey, parse_vkey, render_vkey
from fedbatch.ledger.policy import POLICY_BYTES_MAX, Policy, parse_policy
from tests.unit.ledger.making import (
    ALONE,
    LOG_VKEY,
    ORIGIN,
    PARTNER_VKEY,
    POLICY,
    STRANGER,
    WRITER,
)

LOG, PARTNER = parse_vkey(LOG_VKEY), parse_vkey(PARTNER_VKEY)
OTHER_LOG = VerifierKey(ORIGIN, SIGNING, STRANGER.public)
OTHER_WITNESS = VerifierKey("notary.example/w", COSIGNING, STRANGER.public)


def test_policy_pins_the_writer_and_the_partner() -> None:
    assert parse_policy(POLICY) == Policy((LOG,), PARTNER)


def test_policy_without_quorum_pins_no_partner() -> None:
    assert parse_policy(ALONE) == Policy((LOG,), None)
    assert parse_policy(b"quorum none\n") == Policy((), None)


def test_only_the_witness_of_the_quorum_is_the_partner() -> None:
    text = f"""# keys compared by telephone

 \tlog\t{LOG_VKEY}   https://cmo.example
log {render_vkey(OTHER_LOG)}
witness notary {render_vkey(OTHER_WITNESS)} https://notary.example
witness \xfc {PARTNER_VKEY}
 # quorum notary
quorum \xfc
"""
    assert parse_policy(text.encode()) == Policy((LOG, OTHER_LOG), PARTNER)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "policy"),
        ("quorum none", "policy"),
        ("\n", "policy"),
        ("quorum none\nquorum none\n", "policy"),
        ("quorum partner\n", "policy"),
        (f"quorum partner\nwitness partner {PARTNER_VKEY}\n", "policy"),
        (f"quorum none extra\nwitness partner {PARTNER_VKEY}\n", "policy"),
        (f"witness none {PARTNER_VKEY}\nquorum none\n", "policy"),
        (f"witness a {PARTNER_VKEY}\nwitness b {PARTNER_VKEY}\nquorum a\n", "policy"),
        (
            f"witness a {PARTNER_VKEY}\nwitness a {render_vkey(OTHER_WITNESS)}\nquorum a\n",
            "policy",
        ),
        (f"log {LOG_VKEY}\nlog {LOG_VKEY}\nquorum none\n", "policy"),
        (f"log {PARTNER_VKEY}\nquorum none\n", "policy"),
        (f"witness a {LOG_VKEY}\nquorum none\n", "policy"),
        (f"witness {PARTNER_VKEY}\nquorum none\n", "policy"),
        ("log\nquorum none\n", "policy"),
        (f"log {LOG_VKEY} a b\nquorum none\n", "policy"),
        (f"witness a {PARTNER_VKEY} b c\nquorum none\n", "policy"),
        (f"witness a {PARTNER_VKEY}\ngroup g any a\nquorum g\n", "policy"),
        (f"Log {LOG_VKEY}\nquorum none\n", "policy"),
        ("quorum none\r\n", "policy"),
        ("quorum none\n\x7f\n", "policy"),
        ("quorum none\n\x00\n", "policy"),
        ("# \x07\nquorum none\n", "policy"),
        ("# \x7f\nquorum none\n", "policy"),
        ("# \r\nquorum none\n", "policy"),
        ("quorum\u00a0none\n", "policy"),
        (f"log {LOG_VKEY[:-1]}\nquorum none\n", "key"),
        (
            f"log {render_vkey(VerifierKey('ledger', SIGNING, WRITER.public))}\nquorum none\n",
            "origin",
        ),
        ("#" * POLICY_BYTES_MAX + "\nquorum none\n", "policy"),
    ],
)
def test_policy_that_could_be_misread_is_refused(text: str, code: str) -> None:
    with pytest.raises(InputError) as refusal:
        parse_policy(text.encode())
    assert refusal.value.code == code


def test_policy_is_utf_8_and_bounded() -> None:
    with pytest.raises(InputError) as refusal:
        parse_policy(b"# \xff\nquorum none\n")
    assert (refusal.value.code, refusal.value.found) == ("policy", "byte 2")
    tail = b"\nquorum none\n"
    assert parse_policy(b"#" * (65_536 - len(tail)) + tail) == Policy((), None)


def test_refusal_names_the_line() -> None:
    with pytest.raises(InputError) as refusal:
        parse_policy(ALONE + b"group g any a\n")
    assert (refusal.value.where, refusal.value.found) == ("policy, line 3", "group")
