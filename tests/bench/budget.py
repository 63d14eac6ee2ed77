#!/usr/bin/env python3
"""Checking and reserving a budget with 10 million usage events in the database, against a
database without any: what a call costs must not depend on the history.

The large database is made once, by SQL through the table's own triggers, and kept for all
rounds; both have the same runs and phases. Calls to the two alternate, whole processes
each, and so does which comes first; a reservation is settled again outside the measured time.
"""

import os
import shutil
import sqlite3
import time
from contextlib import ExitStack, closing

from measure import NO_OP, Benchmark, create_run, run, tool

EVENTS = 10_000_000
RUNS = 10
PHASES = 100
CALLS = 100
MOST = 1.2
NAMES = ("empty", "10 million")
UNIT = "ms a call"
DATABASE = "autopack.db"


FILL = """
    WITH RECURSIVE numbers (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM numbers LIMIT ?1)
    INSERT INTO llm_usage_events (run_id, phase_id, phase_name, provider, model,
        prompt_tokens, completion_tokens, source, created_at)
    SELECT 'r' || (i * ?2 / ?1), 'p' || (i * ?2 * ?3 / ?1 % ?3), 'phase', 'anthropic', 'model',
        i % 1000, i % 77, 'report', 1800000000000 + i FROM numbers
"""


def fill(path):
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for pragma in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -400000"):
            connection.execute(f"PRAGMA {pragma}")
        connection.execute(FILL, (EVENTS, RUNS, PHASES))
        count = connection.execute("SELECT count(*) FROM llm_usage_events").fetchone()[0]
        connection.execute("PRAGMA journal_mode = WAL")
    if count != EVENTS:
        raise RuntimeError(f"{count} events instead of {EVENTS}")


def make_databases(bench):
    """The directories of the empty database and of the large one."""
    empty = bench.fresh_directory("empty")
    for number in range(RUNS):
        create_run(empty, f"r{number}", [NO_OP] * PHASES)
    with closing(sqlite3.connect(os.path.join(empty, DATABASE))) as connection, connection:
        connection.execute("UPDATE budgets SET token_cap = 1000000000000000")
    large = bench.fresh_directory("large")
    shutil.copy(os.path.join(empty, DATABASE), large)
    fill(os.path.join(large, DATABASE))
    return dict(zip(NAMES, (empty, large)))


def hold_open(directory):
    """A connection as an executor has one. Without any, each call would be the last to
    close the database, and move the log into it."""
    connection = sqlite3.connect(os.path.join(directory, DATABASE))
    connection.execute("SELECT 1 FROM runs").fetchall()
    return closing(connection)


def timed_call(*command, cwd):
    begun = time.perf_counter()
    output = run(*command, cwd=cwd)
    return (time.perf_counter() - begun) * 1000, output


def measure(bench, name, directory, call):
    run_id = f"r{call % RUNS}"
    elapsed, _ = timed_call(tool("ap-budget"), "show", run_id, cwd=directory)
    bench.add(f"show, {name}", elapsed, UNIT)
    reserve = (tool("ap-budget"), "reserve", run_id, f"p{call % PHASES}", "--tokens=1000")
    elapsed, reservation = timed_call(*reserve, cwd=directory)
    bench.add(f"reserve, {name}", elapsed, UNIT)
    run(tool("ap-budget"), "settle", reservation.decode().split()[0], "--release", cwd=directory)


def main():
    what = f"{CALLS} calls a round with and without 10 million events"
    with Benchmark("budget", what, 3) as bench:
        databases = make_databases(bench)
        with ExitStack() as held:
            for directory in databases.values():
                held.enter_context(hold_open(directory))
            for _ in bench.rounds():
                for call in range(CALLS):
                    for name in (NAMES, NAMES[::-1])[call % 2]:
                        measure(bench, name, databases[name], call)
        for verb in ("show", "reserve"):
            ratio = bench.median(f"{verb}, 10 million") / bench.median(f"{verb}, empty")
            bench.claim(f"ratio of {verb} with 10 million events to {verb} without", ratio, MOST)
        bench.finish()


if __name__ == "__main__":
    main()
