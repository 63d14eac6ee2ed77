#!/usr/bin/env python3
"""Calls that together use a quarter more than there is left of a cap, through ap-gate at a
mock of the provider, with 1, 16, 64 and 256 callers at once; streamed and not, with a limit
and without; by clients that stay, that leave (one in ten), and with a gateway that is killed,
after which someone reconciles what it left with the provider's record, or nobody does. Before,
the gateway has seen some calls of the model.

Overshoot is what the mock served beyond the cap. A call is refused falsely if what it would
have used would have fitted into what was left then: by the mock's record of what was used,
and by the books, which know of a call that was cut off no more than an estimate.
"""

import os
import sys

from measure import Benchmark, built

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../campaign"))
os.environ.setdefault("AP_SOURCE", os.path.abspath(os.path.join(os.path.dirname(__file__), "../..")))
from gate_load import load  # noqa: E402

CALLERS = (1, 16, 64, 256)
LEARNED = 48  # calls of the model that the gateway has seen before
WAYS = {
    "clients stay": {"leaving": 0, "kills": 0},
    "clients leave": {"leaving": 0.1, "kills": 0},
    "gateway killed": {"leaving": 0.1, "kills": 1},
    "killed, then reconciled": {"leaving": 0.1, "kills": 1, "reconciles": True},
}
MUST_BE_0 = {
    "tokens of overshoot": "overshoot",
    "tokens of usage and reservations ever beyond the cap": "beyond_cap",
    "calls served and not counted": "uncounted_calls",
    "tokens served and not counted": "uncounted_tokens",
    "tokens reserved in the end": "reserved",
}
MOST_FALSE = 2  # percent of all calls
BY_TRUTH = ("clients stay", "clients leave", "killed, then reconciled")


class Sum:
    """What the rounds of one way of calling come to."""

    def __init__(self):
        self.calls = self.refused = self.by_truth = self.by_books = 0

    def add(self, result):
        self.calls += result.calls
        self.refused += result.refused
        self.by_truth += result.false_refusals
        self.by_books += result.false_by_books

    def percent(self, count):
        return 100 * count / self.calls


def measure(bench, family, callers, way, number):
    """The four kinds of calls, and their results."""
    total = Sum()
    for kind in range(4):
        result = load(
            bench.fresh_directory("gate"), built("AP_TOOLS"), f"{number} {kind}", family=family,
            callers=callers, streamed=kind % 2 == 0, limited=kind < 2,
            count=max(200, 2 * callers), learned=LEARNED, **WAYS[way],
        )  # fmt: skip
        faults = result.faults(WAYS[way]["kills"])
        if any(name.startswith("calls ended") for name in faults):
            raise RuntimeError(f"{family}, {callers}, {way}: {faults}")
        total.add(result)
        for name in MUST_BE_0.values():
            bench.worst[name] = max(bench.worst.get(name, 0), getattr(result, name))
    return total


def main():
    with Benchmark("gate_budget", "calls at a nearly spent cap", 1) as bench:
        bench.worst = {}
        books = Sum()
        truth = {way: Sum() for way in BY_TRUTH}
        for number in bench.rounds():
            for family in ("anthropic", "openai"):
                for way in WAYS:
                    for callers in CALLERS:
                        total = measure(bench, family, callers, way, number)
                        place = f"{family}, {way}, {callers}"
                        bench.add(f"{place}: false", total.percent(total.by_truth), "% of calls")
                        bench.add(f"{place}: false by the books", total.percent(total.by_books), "% of calls")
                        for sum_of in filter(None, (books, truth.get(way))):
                            sum_of.calls += total.calls
                            sum_of.by_truth += total.by_truth
                            sum_of.by_books += total.by_books
        for text, name in MUST_BE_0.items():
            bench.claim_exactly(text, bench.worst[name], 0)
        for way, total in truth.items():
            bench.claim_at_most(f"false refusals, {way}, %", total.percent(total.by_truth), MOST_FALSE)
        bench.claim_at_most("false refusals by the books, %", books.percent(books.by_books), MOST_FALSE)
        bench.finish()


if __name__ == "__main__":
    main()
