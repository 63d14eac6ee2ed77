#!/usr/bin/env python3
"""Peak memory of ap-exec and of its keeper while a child prints 1 GiB: the most they ever
held (VmHWM of proc(5)), read by the phase behind the one that prints."""

import os

from measure import Benchmark, create_run, run, tool

SIZE = 1 << 30
LIMIT_MIB = 12
UNIT = "MiB"

# Printed by a command that usage is read from too, the worst case: no line ever ends.
CHILDREN = {
    "lines": {"command": ["sh", "-c", f"yes 'what an agent says' | head -c {SIZE}"]},
    "one line to a usage reader": {
        "command": ["sh", "-c", f"tr '\\0' x </dev/zero | head -c {SIZE}"],
        "agent": "claude",
    },
}

READ_PEAKS = (
    "keeper=$PPID; executor=$(cut -d' ' -f4 /proc/$keeper/stat);"
    "for pid in $executor $keeper; do sed -n 's/^VmHWM: *//p' /proc/$pid/status; done"
)


def peaks(bench, child):
    """What executor and keeper held at most, in MiB."""
    directory = bench.fresh_directory("memory")
    create_run(directory, "r", [child, {"command": ["sh", "-c", READ_PEAKS]}])
    run(tool("ap-exec"), "--quiet", "--run-id", "r", cwd=directory)
    said = os.path.join(directory, ".autonomous_runs/r/phases/p1/attempt-1/stdout")
    with open(said, encoding="ascii") as file:
        return [int(line.removesuffix(" kB\n")) / 1024 for line in file]


def main():
    with Benchmark("memory", "most memory held while a child prints 1 GiB", 3) as bench:
        for _ in bench.rounds():
            for name, child in CHILDREN.items():
                executor, keeper = peaks(bench, child)
                bench.add(f"ap-exec, {name}", executor, UNIT)
                bench.add(f"keeper, {name}", keeper, UNIT)
        for name in bench.samples:
            bench.claim_at_most(f"MiB at most, {name}", bench.longest(name), LIMIT_MIB)
        bench.finish()


if __name__ == "__main__":
    main()
