#!/usr/bin/env python3
"""Eight executors on one run of 5,000 no-op phases: each phase gets exactly one attempt,
and it succeeds; together they are not slower than one alone."""

import os
import sqlite3
import subprocess
from contextlib import closing

from measure import NO_OP, Benchmark, create_run, tool

PHASES = 5000
UNIT = "phases a second"


def execute(bench, executors):
    """Executes a fresh run; the database it leaves."""
    directory = bench.fresh_directory(f"executors-{executors}")
    create_run(directory, "r", [NO_OP] * PHASES)
    command = [tool("ap-exec"), "--quiet", "--run-id", "r"]

    def work():
        processes = [subprocess.Popen(command, cwd=directory) for _ in range(executors)]
        if any(process.wait() != 0 for process in processes):
            raise RuntimeError("an executor failed")

    bench.timed_rate(name_of(executors), UNIT, PHASES, work)
    return os.path.join(directory, "autopack.db")


def name_of(executors):
    return f"{executors} executor{'s' if executors > 1 else ''}"


def wrong_phases(database):
    """The phases that have not exactly one attempt, a successful one."""
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute(
            "SELECT count(*) FROM phases p WHERE (SELECT group_concat(status) FROM attempts a"
            " WHERE a.run_id = p.run_id AND a.phase_id = p.phase_id) IS NOT 'SUCCEEDED'"
        ).fetchone()[0]


def main():
    with Benchmark("sharing", f"{PHASES} no-op phases by 8 executors and by one", 3) as bench:
        wrong = 0
        for _ in bench.rounds():
            for executors in (1, 8):
                wrong += wrong_phases(execute(bench, executors))
        one, eight = (bench.median(name_of(executors)) for executors in (1, 8))
        bench.claim_exactly("phases without exactly one successful attempt", wrong, 0)
        bench.claim("ratio of one executor's throughput to that of eight", one / eight, 1.0)
        bench.finish()


if __name__ == "__main__":
    main()
