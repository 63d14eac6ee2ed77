#!/usr/bin/env python3
"""A run of no-op phases with and without hostile clients at ap-serve (hostile_clients.py):
they must not slow the executor, grow the server or bring it down. A login takes 64 MiB
while its password is hashed, one at a time; nothing else may take more than a few.
"""

import collections
import json
import os
import subprocess
import sys
import time

from measure import NO_OP, Benchmark, create_run, run, tool
from serve import Server
from web import resident_mib

NO_OPS = 1000
UNIT_NICE = 5  # as ap-serve.service says
CLIENTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "hostile_clients.py")
WITHOUT, WITH = "no-op phase, alone", "no-op phase, with hostile clients"


class Hostile:
    """The clients, at work from the start to the end of a block."""

    def __init__(self, port, counts):
        self.port = port
        self.counts = counts

    def __enter__(self):
        self.process = subprocess.Popen(
            [sys.executable, "-B", CLIENTS, str(self.port)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        if self.process.stdout.readline() != "under way\n":
            raise RuntimeError("no hostile clients")

    def __exit__(self, *_):
        said, _ = self.process.communicate()
        self.counts.update(json.loads(said))


def seconds_of(process):
    """The CPU time that a process has used."""
    with open(f"/proc/{process.pid}/stat", encoding="ascii") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(bench, directory, name, number):
    run_id = f"r{number}-{len(name)}"
    create_run(directory, run_id, [NO_OP] * NO_OPS)
    begun = time.perf_counter()
    run(tool("ap-exec"), "--run-id", run_id, cwd=directory)
    bench.add(name, (time.perf_counter() - begun) * 1000 / NO_OPS, "ms")


def main():
    with Benchmark("serve_hostile", "an executor beside a server under attack", 4) as bench:
        directory = bench.fresh_directory("state")
        run(tool("ap-db"), "init", cwd=directory)
        counts = collections.Counter()
        resident = []
        with Server(directory, UNIT_NICE) as server:
            for number in bench.rounds():
                for name in (WITHOUT, WITH)[:: 1 if number % 2 else -1]:
                    if name == WITHOUT:
                        measure(bench, directory, name, number)
                        continue
                    used, begun = seconds_of(server.process), time.perf_counter()
                    with Hostile(server.port, counts):
                        measure(bench, directory, name, number)
                    share = (seconds_of(server.process) - used) / (time.perf_counter() - begun)
                    bench.add("CPU of ap-serve under attack", 100 * share, "%")
                server.connection.close()
                resident.append(resident_mib(server.process.pid))
                bench.add("/health after it", server.timed("/health")[0], "ms")
            peak = resident_mib(server.process.pid, "VmHWM")
            crashed = server.process.poll() is not None
        for name, count in sorted(counts.items()):
            bench.note(f"{count} {name}")
        sizes = ", ".join(f"{size:.1f}" for size in resident)
        bench.note(f"ap-serve holds after each round, in MiB: {sizes}; at most {peak:.1f}")
        slower = bench.median(WITH) / bench.median(WITHOUT)
        bench.claim("a phase with hostile clients, to one without", slower, 1.05)
        bench.claim_at_most("peak of ap-serve in MiB", peak, 128)
        bench.claim_at_most("what it holds after them in MiB", resident[-1], 48)
        bench.claim_exactly("crashes", int(crashed), 0)
        lost = counts["followers that were hung up on"] + counts["pipelined, not all answered"]
        bench.claim_exactly("good clients not served", lost, 0)
        bench.finish()


if __name__ == "__main__":
    main()
