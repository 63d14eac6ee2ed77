#!/usr/bin/env python3
"""Executor overhead: 1,000 no-op commands by ap-exec and by its peers.

All are given the 1,000 commands and measured until the last has ended, the handing over
included (`ap-run create` for ours; a client process a command for nq and tsp).

"Like durability" is what ap-exec does: that a command was started, and how it ended, is on
the disk before what follows from it is done. nq and tsp write nothing through to the disk;
they are given the same by executing each command through `spawn_loop --log`, a small static
program that syncs one line before the command and one after it. (ap-exec needs one sync a
phase: an end is committed together with the start that follows from it.) The bare loop,
with that log and without, has no queue, no output files, no limits and no recovery: a
floor to compare with and no peer.

The limit a phase is for a disk that syncs within 1 ms; what the disk of the same run takes
beyond that, once a phase, is added to it.
"""

import os
import shutil
import sys

from measure import NO_OP, Benchmark, built, create_run, run, tool

COMMANDS = 1000
SKIPPED = 77
UNIT = "ms a command"
COMMAND = ["/bin/true"]


def spawn_loop(command, *arguments):
    return [built("AP_SPAWN_LOOP"), *arguments, "--", *command]


def hand_over(command, directory, environment):
    """Gives a queue its commands as fast as any script could."""
    run(*spawn_loop(command, f"--count={COMMANDS}"), cwd=directory, env=environment)


def ours(bench):
    directory = bench.fresh_directory("ap-exec")
    create_run(directory, "r", [NO_OP] * COMMANDS)
    run(tool("ap-exec"), "--quiet", "--run-id", "r", cwd=directory)


def loop(*arguments):
    def work(bench):
        directory = bench.fresh_directory("loop")
        run(*spawn_loop(COMMAND, f"--count={COMMANDS}", *arguments), cwd=directory)

    return work


def nq(command):
    def work(bench):
        environment = {**os.environ, "NQDIR": bench.fresh_directory("nq")}
        hand_over(["nq", "-q", *command], environment["NQDIR"], environment)
        run("nq", "-w", cwd=environment["NQDIR"], env=environment)

    return work


def tsp(command):
    def work(bench):
        directory = bench.fresh_directory("tsp")
        environment = {
            **os.environ,
            "TMPDIR": directory,
            "TS_SOCKET": os.path.join(directory, "socket"),
            "TS_MAXFINISHED": str(COMMANDS),
        }
        hand_over(["tsp", *command], directory, environment)
        run("tsp", "-w", cwd=directory, env=environment)
        run("tsp", "-K", cwd=directory, env=environment)

    return work


CONTESTANTS = {
    "ap-exec": ours,
    "nq, durable": nq(spawn_loop(COMMAND, "--log=log")),
    "tsp, durable": tsp(spawn_loop(COMMAND, "--log=log")),
    "loop, log": loop("--log=log"),
    "nq": nq(COMMAND),
    "tsp": tsp(COMMAND),
    "loop, bare": loop(),
}


def main():
    missing = [name for name in ("nq", "tsp") if shutil.which(name) is None]
    if missing:
        print(f"overhead: needs {', '.join(missing)}: contrib/install-packages bench")
        sys.exit(SKIPPED)
    with Benchmark("overhead", f"{COMMANDS} no-op commands one after the other", 5) as bench:
        for _ in bench.rounds():
            for name, work in CONTESTANTS.items():
                bench.timed(name, UNIT, COMMANDS, lambda: work(bench))
        ours_ms = bench.median("ap-exec")
        for name in CONTESTANTS:
            if name != "ap-exec":
                bench.note(f"ap-exec / {name} = {ours_ms / bench.median(name):.2f}")
        faster = min(bench.median("nq, durable"), bench.median("tsp, durable"))
        limit = 3.0 + max(0.0, bench.sync_ms() - 1.0)
        bench.claim("ms a phase, every change of state durable", ours_ms, limit)
        bench.claim("ratio to the faster peer with like durability", ours_ms / faster, 1.0)
        bench.finish()


if __name__ == "__main__":
    main()
