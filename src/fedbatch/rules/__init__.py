"""Rules: pure functions from (agreement, records, as-of) to findings, rights and verdicts."""
