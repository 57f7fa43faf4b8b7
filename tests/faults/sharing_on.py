"""A process that imports and shares until it is killed; started by the tests.

python -m tests.faults.sharing_on HOME FOLDER NAME    says after each sharing how many batches it posted
"""

import os
import sys
from itertools import count
from pathlib import Path

from fedbatch.errors import FedbatchError
from fedbatch.node.home import Home
from fedbatch.node.importing import import_file
from fedbatch.node.posting import share
from tests.fakes.clock import FakeClock
from tests.scenarios.making import row, write_table


def go_on(home_path: Path, folder: Path, name: str) -> None:
    with Home(home_path, clock=FakeClock()) as home:
        person = home.acting("u-1", "")
        (known,) = home.node.agreements()
        for number in count(1):
            table = write_table(folder / f"{name}-{number}.csv", [row(f"{name}-{number}")])
            try:
                import_file(home, table, person)
                share(home, known, person, dry_run=False)
            except FedbatchError as error:
                if error.code not in {"store.busy", "ledger.moved"}:
                    raise
                continue
            os.write(1, f"{number}\n".encode())


if __name__ == "__main__":
    go_on(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
