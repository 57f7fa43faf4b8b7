"""The tutorial's commands run, in order, as they stand."""

import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_tutorial_runs_from_end_to_end(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "tutorial" / "first-batch.md").read_text("utf-8")
    blocks = re.findall(r"```console\n(.*?)```", page, re.DOTALL)
    folder = tmp_path / "files"
    shutil.copytree(ROOT / "docs" / "tutorial" / "files", folder)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    script = "set -e\ntrap 'kill $(jobs -p)' EXIT\n" + "\n".join(blocks)
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", script],  # noqa: S607 - bash is found on the path
        cwd=folder,
        env={**os.environ, "PATH": path, "PORT": str(port)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "B2003" in done.stdout
    assert "100.4812" in done.stdout
    assert "WRONG" not in done.stdout
    checked = subprocess.run(
        [
            sys.executable,
            ROOT / "verifier" / "fedbatch_verify.py",
            "ledger",
            folder / "proof",
            "--policy",
            folder / "proof" / "policy",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
