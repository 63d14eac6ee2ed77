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
import functools
import glob
import time

from measure import NO_OP, Benchmark, create_run, run, tool
from serve import Server
from web import Hostile, resident_mib

NO_OPS = 1000
WORKING = 100
WORK = {"command": ["/bin/sh", "-c", "i=0; while [ $i -lt 24000 ]; do i=$((i+1)); done"]}
UNIT_NICE = 5  # as ap-serve.service says
# What the followers ask for: compressed events, as browsers do, or plain ones.
COMPRESSED, PLAIN = "compressed events", "plain events"
OPTIONS = {COMPRESSED: [], PLAIN: ["--plain"]}
ALONE = "no-op phase, beside nothing"


def seconds_of(process):
    """The CPU time that the threads of a process have used."""
    total = 0
    for path in glob.glob(f"/proc/{process.pid}/task/*/schedstat"):
        with open(path, encoding="ascii") as file:
            total += int(file.read().split()[0])
    return total / 1e9


def beside(phase, kind):
    return f"{phase}, beside as much work ({kind})"


def attacked(phase, kind):
    return f"{phase}, hostile clients ({kind})"


class Attack:
    """Runs beside a server, with and without the clients."""

    def __init__(self, bench, directory, server):
        self.bench = bench
        self.directory = directory
        self.server = server
        self.counts = collections.Counter()
        self.runs = 0
        self.processor = {}
        for kind, options in OPTIONS.items():
            with Hostile(server.port, *options) as clients:  # to know what work they are
                self.execute([NO_OP] * NO_OPS)
            self.processor[kind] = clients.processor

    def execute(self, phases):
        """ms a phase, and what share of a processor ap-serve takes meanwhile, in %."""
        self.runs += 1
        create_run(self.directory, f"r{self.runs}", phases)
        used, begun = seconds_of(self.server.process), time.perf_counter()
        run(tool("ap-exec"), "--run-id", f"r{self.runs}", cwd=self.directory)
        length = time.perf_counter() - begun
        share = 100 * (seconds_of(self.server.process) - used) / length
        return length * 1000 / len(phases), share

    def measure_alone(self):
        each, share = self.execute([NO_OP] * NO_OPS)
        self.bench.add(ALONE, each, "ms")
        self.bench.add("CPU of ap-serve left alone", share, "%")

    def measure_work(self, name, phases, kind):
        with Hostile(self.server.port, "--instead", str(self.processor[kind])):
            each, _ = self.execute(phases)
        self.bench.add(beside(name, kind), each, "ms")

    def measure_attack(self, name, phases, kind):
        with Hostile(self.server.port, *OPTIONS[kind]) as clients:
            each, share = self.execute(phases)
        self.bench.add(attacked(name, kind), each, "ms")
        self.counts.update(clients.counts)
        if name == "no-op phase":
            self.processor[kind] = clients.processor
            self.bench.add(f"CPU of hostile clients, {kind}", clients.processor / 10000, "%")
            self.bench.add(f"CPU of ap-serve under attack, {kind}", share, "%")

    def measures(self):
        """All there is to measure in a round; each attack stands beside what it is
        compared with."""
        blocks = [self.measure_alone]
        for name, phases, kinds in (
            ("no-op phase", [NO_OP] * NO_OPS, OPTIONS),
            ("working phase", [WORK] * WORKING, [COMPRESSED]),
        ):
            for kind in kinds:
                for measure in (self.measure_work, self.measure_attack):
                    blocks.append(functools.partial(measure, name, phases, kind))
        return blocks


def slowdown(bench, name, kind):
    return bench.median(attacked(name, kind)) / bench.median(beside(name, kind))


def claim(bench, attack):
    counts = attack.counts
    for name, count in sorted(counts.items()):
        bench.note(f"{count} {name}")
    slower = bench.median(attacked("no-op phase", COMPRESSED)) / bench.median(ALONE)
    bench.note(f"to the run beside nothing: {slower:.3f}")
    slower = slowdown(bench, "no-op phase", COMPRESSED)
    bench.claim("a no-op phase with hostile clients, to one without", slower, 1.05)
    slower = slowdown(bench, "no-op phase", PLAIN)
    bench.claim("the same where followers take plain events", slower, 1.05)
    slower = slowdown(bench, "working phase", COMPRESSED)
    bench.claim("a phase of 20 ms with hostile clients, to one without", slower, 1.05)
    bench.claim("CPU of ap-serve left alone in %", bench.median("CPU of ap-serve left alone"), 1)
    lost = counts["followers that were hung up on"] + counts["pipelined, not all answered"]
    bench.claim_exactly("good clients not served", lost, 0)
    bench.claim_exactly("events that followers missed", counts["events missed"], 0)


def main():
    with Benchmark("serve_hostile", "an executor beside a server under attack", 12) as bench:
        directory = bench.fresh_directory("state")
        run(tool("ap-db"), "init", cwd=directory)
        resident = []
        with Server(directory, UNIT_NICE) as server:
            attack = Attack(bench, directory, server)
            for number in bench.rounds():
                for measure in attack.measures()[:: 1 if number % 2 else -1]:
                    measure()
                server.connection.close()
                resident.append(resident_mib(server.process.pid))
                bench.add("/health after it", server.timed("/health")[0], "ms")
            peak = resident_mib(server.process.pid, "VmHWM")
            crashed = server.process.poll() is not None
        claim(bench, attack)
        sizes = ", ".join(f"{size:.1f}" for size in resident)
        bench.note(f"ap-serve holds after each round, in MiB: {sizes}; at most {peak:.1f}")
        bench.claim_at_most("peak of ap-serve in MiB", peak, 128)
        bench.claim_at_most("what it holds after them in MiB", resident[-1], 48)
        bench.claim_exactly("crashes", int(crashed), 0)
        bench.finish()


if __name__ == "__main__":
    main()
