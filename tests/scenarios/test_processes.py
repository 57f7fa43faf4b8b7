"""Two real `fedbatch serve` processes over HTTPS, worked by the command line alone."""

import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from fedbatch.node.home import Home
from fedbatch.node.overview import read_status
from fedbatch.node.reading import read_results
from tests.scenarios.making import row, write_table
from tests.scenarios.world import FILES

PATIENCE_S = 20.0


@dataclass
class Shell:
    """A folder with two homes, and the processes that serve them."""

    folder: Path
    port: int
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def run(self, home: str, *words: object) -> subprocess.CompletedProcess[str]:
        place = str(self.folder / home)
        command = [sys.executable, "-m", "fedbatch", *map(str, words), "--home", place]
        return subprocess.run(
            command, cwd=self.folder, capture_output=True, text=True, check=False, timeout=60
        )

    def ask(self, home: str, *words: object, code: int = 0) -> dict[str, Any]:
        done = self.run(home, *words, "--json")
        assert done.returncode == code, done.stdout + done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def serve(self, home: str) -> None:
        command = [sys.executable, "-m", "fedbatch", "serve", "--home", str(self.folder / home)]
        log = (self.folder / f"{home}.log").open("ab")
        self.running[home] = subprocess.Popen(command, stdout=log, stderr=log)
        log.close()
        if home == "sponsor":
            wait(self.answers, "the sponsor to listen")

    def answers(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=0.2).close()
        except OSError:
            return False
        return True

    def stop(self, home: str) -> None:
        process = self.running.pop(home)
        process.terminate()
        process.wait(timeout=10)


def wait(holds: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < end, f"waited {PATIENCE_S:.0f} s for {what}"
        time.sleep(0.1)  # noqa: TID251 - waits for real processes


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    made = Shell(tmp_path, port)
    try:
        yield made
    finally:
        for name in list(made.running):
            made.stop(name)


def pair(shell: Shell) -> None:
    place = f"127.0.0.1:{shell.port}"
    sponsor = ("--listen", place, "--address", f"https://{place}")
    shell.ask("sponsor", "init", "--name", "Alpine Pharma", "--person", "Sam Sponsor", *sponsor)
    shell.ask("cmo", "init", "--name", "Example CMO", "--person", "Ana Analyst")
    shell.ask("sponsor", "invite", "--out", "invitation.json")
    shell.serve("sponsor")
    ours = shell.ask("cmo", "accept", "invitation.json")
    shell.ask("cmo", "confirm", "Alpine Pharma")
    shell.ask("sponsor", "confirm", "Example CMO")
    assert re.fullmatch(r"(\d{5} ){5}\d{5}", ours["theirs"])


def agree(shell: Shell) -> None:
    mapping = FILES / "small.yaml"
    shell.ask("cmo", "map", "confirm", mapping)
    draft = shell.folder / "agreement.yaml"
    shell.ask("cmo", "agreement", "new", "Alpine Pharma", "--role", "CMO", "--out", draft)
    text = draft.read_text("utf-8").replace('name: "?"', 'name: "Tablets"')
    draft.write_text(text.replace('value: "?"', 'value: "T-1"'), "utf-8")
    shell.ask("cmo", "agreement", "propose", draft)
    wait(lambda: state(shell, "sponsor") == "proposed", "the proposal")
    shell.ask("sponsor", "agreement", "accept")
    for home in ("cmo", "sponsor"):
        wait(lambda home=home: state(shell, home) == "active", "the agreement")  # type: ignore[misc] # bound at once


def opened(shell: Shell, home: str) -> Home:
    """The home itself, read beside its process: waiting by commands would take a process a look."""
    return Home(shell.folder / home)


def state(shell: Shell, home: str) -> str:
    with opened(shell, home) as here:
        found = read_status(here).agreements
    return found[0].state if found else ""


def backlog(shell: Shell) -> int:
    with opened(shell, "cmo") as here:
        return read_status(here).agreements[0].backlog


def give(shell: Shell, *batches: str) -> None:
    rows = [row(batch) for batch in batches]
    shell.ask("cmo", "import", write_table(shell.folder / f"{batches[0]}.csv", rows))
    shell.ask("cmo", "share")


def known(shell: Shell) -> set[str]:
    with opened(shell, "sponsor") as here:
        return {item.batch for item in read_results(here)}


def test_two_nodes_pair_agree_and_exchange_over_https_by_commands_alone(shell: Shell) -> None:
    pair(shell)
    shell.serve("cmo")
    agree(shell)
    give(shell, "B1", "B2")
    wait(lambda: known(shell) == {"B1", "B2"}, "the results")
    wait(lambda: backlog(shell) == 0, "the receipt")
    assert shell.ask("cmo", "status")["agreements"][0]["backlog"] == 0
    one = shell.ask("sponsor", "results", "B1", "--code", "ASSAY")["results"]
    assert [item["shown"] for item in one] == ["100.1"]
    for home in ("cmo", "sponsor"):
        assert shell.ask(home, "verify")["wrong"] == []
    logs = b"".join((shell.folder / f"{home}.log").read_bytes() for home in ("cmo", "sponsor"))
    assert b"Traceback" not in logs
    assert b"100.1" not in logs

    # Another certificate at the same address: nothing crosses until the right one is back.
    shell.stop("sponsor")
    keys = shell.folder / "sponsor" / "keys"
    kept = {name: (keys / name).read_bytes() for name in ("tls.crt", "tls.key")}
    for name in kept:
        (keys / name).unlink()
    shell.serve("sponsor")
    give(shell, "B3")
    outcome = shell.ask("cmo", "sync", code=7)
    assert "peer.unreachable" in json.dumps(outcome)
    assert known(shell) == {"B1", "B2"}
    shell.stop("sponsor")
    for name, content in kept.items():
        (keys / name).write_bytes(content)
    shell.serve("sponsor")
    wait(lambda: known(shell) == {"B1", "B2", "B3"}, "the results after the right certificate")


def test_invitation_whose_certificate_was_exchanged_is_refused(shell: Shell) -> None:
    place = f"127.0.0.1:{shell.port}"
    address = ("--listen", place, "--address", f"https://{place}")
    shell.ask("sponsor", "init", "--name", "Alpine Pharma", "--person", "Sam", *address)
    shell.ask("cmo", "init", "--name", "Example CMO", "--person", "Ana")
    shell.ask("sponsor", "invite", "--out", "invitation.json")
    for name in ("tls.crt", "tls.key"):
        (shell.folder / "sponsor" / "keys" / name).unlink()
    shell.serve("sponsor")
    done = shell.run("cmo", "accept", "invitation.json")
    assert done.returncode == 7
    assert "[peer.certificate]" in done.stderr


# ---- errors: one grammar, one exit code a class


def test_errors_are_one_sentence_with_code_and_exit_code(shell: Shell) -> None:
    shell.ask("cmo", "init", "--name", "Example CMO", "--person", "Ana")
    cases: list[tuple[tuple[object, ...], int, str]] = [
        (("import", "no-such.csv"), 3, ""),
        (("results", "NO-BATCH"), 3, "batch.unknown"),
        (("agreement", "accept"), 3, "agreement.unknown"),
        (("confirm", "Nobody"), 3, "partner.unknown"),
        (("accept", "no-invitation.json"), 3, ""),
        (("approve", "B1", "--to", "released"), 3, ""),
        (("invite",), 3, "pairing.address"),
        (("person", "--add", "X", "--as", "nobody"), 3, "person.which"),
        (("init", "--name", "Again"), 5, ""),
    ]
    for words, code, name in cases:
        done = shell.run("cmo", *words)
        assert done.returncode == code, (words, done.stderr)
        assert done.stdout == ""
        line = done.stderr.strip()
        assert "\n" not in line
        assert "Traceback" not in line
        found = re.fullmatch(r"fedbatch: (.+) \[([a-z0-9_.]+)\]", line)
        assert found is not None, line
        if code == 3:
            assert re.match(r"Expected .+, found '.*'\.", found[1]), line
        if name:
            assert found[2] == name
    as_json = shell.ask("cmo", "results", "NO-BATCH", code=3)
    assert as_json["error"]["code"] == "batch.unknown"


def test_wrong_usage_is_exit_code_2_and_help_is_0(shell: Shell) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "fedbatch", "no-such-command"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "FEDBATCH_HOME": str(shell.folder / "none")},
    )
    assert done.returncode == 2
    helped = subprocess.run(
        [sys.executable, "-m", "fedbatch", "--help"], capture_output=True, text=True, check=False
    )
    assert helped.returncode == 0
