"""Build the wheel and run the command from it, without development packages: for `make test`."""

import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def run(*command: str, cwd: Path, home: Path) -> str:
    """Run a command with an empty home and nothing of this environment on its path."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTHON", "VIRTUAL_ENV", "COVERAGE", "FEDBATCH"))
    }
    done = subprocess.run(
        command,
        cwd=cwd,
        env={**environment, "HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
    return done.stdout


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        build = f"from flit_core.buildapi import build_wheel; print(build_wheel({name!r}))"
        wheel = run(sys.executable, "-c", build, cwd=ROOT, home=folder).split()[-1]
        venv.create(folder / "venv", with_pip=True)
        python = str(folder / "venv" / "bin" / "python")
        pip = (python, "-m", "pip", "--disable-pip-version-check", "install", "-q", "--no-deps")
        locked = ("--require-hashes", "--only-binary=:all:", "-r", str(ROOT / "run.lock.txt"))
        run(*pip, *locked, cwd=folder, home=folder)
        run(*pip, str(folder / wheel), cwd=folder, home=folder)
        fedbatch = str(folder / "venv" / "bin" / "fedbatch")
        run(fedbatch, "init", "--name", "Wheel", "--home", "there", cwd=folder, home=folder)
        said = run(fedbatch, "verify", "--home", "there", "--json", cwd=folder, home=folder)
        if '"wrong":[]' not in said:
            sys.exit(f"verify of a new home from the wheel said {said}")
        terms = run(fedbatch, "map", "terms", "pH", "--home", "there", cwd=folder, home=folder)
        if "ph" not in terms:
            sys.exit("the wheel carries no dictionary")
    sys.stdout.write("the wheel builds and runs without development packages\n")


if __name__ == "__main__":
    main()
