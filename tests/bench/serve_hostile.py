#!/usr/bin/env python3
"""A run of no-op phases with and without hostile clients at ap-serve (hostile_clients.cc):
they must not slow the executor, grow the server or bring it down. A login takes 64 MiB
while its password is hashed, one at a time; nothing else may take more than a few.

Attackers use machines of their own; here their work is done on the processors that are
measured. It is therefore in both of what is compared: the run without hostile clients is
executed beside a process of the same priority that uses as much processor time as they
did, at the same moments, and connects to nobody. All that ap-serve and the kernel do for
it (the sending of events, and as it is a loopback also their receiving) is in the
difference. The run beside nothing at all is told, too.
"""

import collections
import glob
import json
import os
import subprocess
import time

from measure import NO_OP, Benchmark, built, create_run, run, tool
from serve import Server
from web import resident_mib

NO_OPS = 1000
UNIT_NICE = 5  # as ap-serve.service says
ALONE, BESIDE, WITH = (
    "no-op phase, beside nothing",
    "no-op phase, beside as much work",
    "no-op phase, with hostile clients",
)


class Hostile:
    """The clients, or a process that works as much, from the start to the end of a block.
    `processor`: the time they took, in us a second."""

    def __init__(self, port, *options):
        self.command = [built("AP_HOSTILE_CLIENTS"), *options, str(port)]
        self.processor = 0
        self.counts = {}

    def __enter__(self):
        self.process = subprocess.Popen(
            self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        if self.process.stdout.readline() != "under way\n":
            raise RuntimeError("no hostile clients")
        return self

    def __exit__(self, *_):
        said, _ = self.process.communicate()
        said = json.loads(said)
        self.processor = said["processor"]
        self.counts = said["counts"]


def seconds_of(process):
    """The CPU time that the threads of a process have used."""
    total = 0
    for path in glob.glob(f"/proc/{process.pid}/task/*/schedstat"):
        with open(path, encoding="ascii") as file:
            total += int(file.read().split()[0])
    return total / 1e9


class Attack:
    """Runs beside a server, with and without the clients."""

    def __init__(self, bench, directory, server):
        self.bench = bench
        self.directory = directory
        self.server = server
        self.counts = collections.Counter()
        self.runs = 0
        with Hostile(server.port) as clients:  # to know what work they are
            self.execute()
        self.processor = clients.processor

    def execute(self):
        """ms a phase, and what share of a processor ap-serve takes meanwhile, in %."""
        self.runs += 1
        create_run(self.directory, f"r{self.runs}", [NO_OP] * NO_OPS)
        used, begun = seconds_of(self.server.process), time.perf_counter()
        run(tool("ap-exec"), "--run-id", f"r{self.runs}", cwd=self.directory)
        length = time.perf_counter() - begun
        share = 100 * (seconds_of(self.server.process) - used) / length
        return length * 1000 / NO_OPS, share

    def measure(self, name):
        if name == ALONE:
            each, share = self.execute()
            self.bench.add(name, each, "ms")
            self.bench.add("CPU of ap-serve left alone", share, "%")
            return
        instead = ["--instead", str(self.processor)] if name == BESIDE else []
        with Hostile(self.server.port, *instead) as clients:
            each, share = self.execute()
        self.bench.add(name, each, "ms")
        who = "the work instead" if instead else "hostile clients"
        self.bench.add(f"CPU of {who}", clients.processor / 10000, "%")
        if not instead:
            self.processor = clients.processor
            self.counts.update(clients.counts)
            self.bench.add("CPU of ap-serve under attack", share, "%")


def main():
    with Benchmark("serve_hostile", "an executor beside a server under attack", 12) as bench:
        directory = bench.fresh_directory("state")
        run(tool("ap-db"), "init", cwd=directory)
        resident = []
        with Server(directory, UNIT_NICE) as server:
            attack = Attack(bench, directory, server)
            for number in bench.rounds():
                for name in (ALONE, BESIDE, WITH)[:: 1 if number % 2 else -1]:
                    attack.measure(name)
                server.connection.close()
                resident.append(resident_mib(server.process.pid))
                bench.add("/health after it", server.timed("/health")[0], "ms")
            peak = resident_mib(server.process.pid, "VmHWM")
            crashed = server.process.poll() is not None
        counts = attack.counts
        for name, count in sorted(counts.items()):
            bench.note(f"{count} {name}")
        sizes = ", ".join(f"{size:.1f}" for size in resident)
        bench.note(f"ap-serve holds after each round, in MiB: {sizes}; at most {peak:.1f}")
        bench.note(f"to the run beside nothing: {bench.median(WITH) / bench.median(ALONE):.3f}")
        slower = bench.median(WITH) / bench.median(BESIDE)
        bench.claim("a phase with hostile clients, to one without", slower, 1.05)
        bench.claim("CPU of ap-serve left alone in %", bench.median("CPU of ap-serve left alone"), 1)
        bench.claim_at_most("peak of ap-serve in MiB", peak, 128)
        bench.claim_at_most("what it holds after them in MiB", resident[-1], 48)
        bench.claim_exactly("crashes", int(crashed), 0)
        lost = counts["followers that were hung up on"] + counts["pipelined, not all answered"]
        bench.claim_exactly("good clients not served", lost, 0)
        bench.finish()


if __name__ == "__main__":
    main()
