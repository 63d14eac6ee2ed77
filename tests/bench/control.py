#!/usr/bin/env python3
"""Control latency: from a line written into a control file by echo to its effect.

A run with one long phase is told to stop, and then to abort. The effect is what the event
log says, with its own time: for a stop that the executor has taken it (control.applied;
the phase may finish), for an abort that the run has ended, its processes killed.
"""

import os
import sqlite3
import subprocess
import time
from contextlib import closing

from measure import Benchmark, create_run, tool

TIMES = 50
LONGEST_MS = 100
UNIT = "ms"


def wait_for(connection, query):
    """The first column of the first row that `query` finds, when it finds one."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        row = connection.execute(query).fetchone()
        if row is not None:
            return row[0]
        time.sleep(0.002)
    raise RuntimeError(f"nothing came of: {query}")


def echo(line, path):
    """When the line was about to be written, in whole milliseconds as the events have."""
    begun = time.time_ns() // 1_000_000
    subprocess.run(["sh", "-c", 'echo "$1" >"$2"', "sh", line, path], check=True)
    return begun


def measure(bench, directory, run_id):
    create_run(directory, run_id, [{"command": ["sleep", "1000"]}])
    executor = subprocess.Popen([tool("ap-exec"), "--quiet", "--run-id", run_id], cwd=directory)
    files = os.path.join(directory, ".autonomous_runs")
    events = f"SELECT created_at FROM events WHERE run_id = '{run_id}' AND "
    with closing(sqlite3.connect(os.path.join(directory, "autopack.db"))) as connection:
        wait_for(connection, f"SELECT 1 FROM phases WHERE run_id = '{run_id}' "
                 "AND status = 'EXECUTING'")
        begun = echo(f"stop:{run_id}", os.path.join(files, ".stop_executor"))
        applied = wait_for(connection, events + "kind = 'control.applied'")
        bench.add("stop", applied - begun, UNIT)
        begun = echo(f"abort:{run_id}", os.path.join(files, ".abort_run"))
        ended = wait_for(connection, events + "kind = 'run.status' "
                         "AND detail ->> 'to' = 'DONE_ABORTED'")
        bench.add("abort", ended - begun, UNIT)
    executor.wait()


def main():
    what = f"from a control file to its effect, {TIMES} times a round"
    with Benchmark("control", what, 1) as bench:
        for number in bench.rounds():
            directory = bench.fresh_directory("control")
            for i in range(TIMES):
                measure(bench, directory, f"r{number}-{i}")
        for name in ("stop", "abort"):
            bench.claim(f"median ms until {name} has its effect", bench.median(name), LONGEST_MS)
            bench.claim(f"longest ms until {name} has its effect", bench.longest(name), LONGEST_MS)
        bench.finish()


if __name__ == "__main__":
    main()
