"""Say how many of the mutants the tests killed, by module; fail below 90 %.

    python tests/mutation_score.py mutants/src

Reads what the mutation tool left beside each mutated file: a JSON of {mutant: exit code of the
tests}. 0 is a mutant that survived; None one that was not tried, which counts as survived.
"""

import json
import sys
from pathlib import Path

LEAST = 0.90


def read_scores(folder: Path) -> dict[str, tuple[int, int]]:
    """Return {module: (killed, all)} of the modules that have mutants."""
    scores = {}
    for path in sorted(folder.rglob("*.meta")):
        codes = json.loads(path.read_text())["exit_code_by_key"]
        if codes:
            killed = sum(code not in {0, None} for code in codes.values())
            scores[path.name.removesuffix(".py.meta")] = (killed, len(codes))
    return scores


def main(folder: Path) -> int:
    scores = read_scores(folder)
    if not scores:
        print(f"Expected mutants in {folder}, found none.")
        return 1
    for module, (killed, all_) in scores.items():
        print(f"{module:<12} {killed:>5} of {all_:>5}  {killed / all_:>5.1%}")
    killed = sum(one for one, _ in scores.values())
    all_ = sum(one for _, one in scores.values())
    print(
        f"{'together':<12} {killed:>5} of {all_:>5}  {killed / all_:>5.1%}  (at least {LEAST:.0%})"
    )
    return int(killed / all_ < LEAST)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
