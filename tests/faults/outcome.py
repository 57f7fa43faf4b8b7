"""What a fault test prints: seed, number of cases, failures, and the bound they prove."""

from dataclasses import dataclass, field


@dataclass
class Outcome:
    """Cases tried and those that failed; with none of N failed, at most 3/N fail (95 %)."""

    name: str
    seed: int
    cases: int = 0
    failures: list[str] = field(default_factory=list)

    def count(self, fault: str) -> None:
        """Count a case; "" where nothing is wrong."""
        self.cases += 1
        if fault:
            self.failures.append(f"case {self.cases}: {fault}")

    def report(self) -> None:
        bound = f", bound {3 / self.cases:.2%}" if self.cases and not self.failures else ""
        print(  # noqa: T201 - the figures are what a fault test is for
            f"{self.name}: seed {self.seed}, N {self.cases}, failures {len(self.failures)}{bound}"
        )
        for failure in self.failures[:5]:
            print(f"  {failure}")  # noqa: T201 - as above
