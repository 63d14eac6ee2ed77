"""What all benchmarks share: options, a working directory, interleaved rounds, medians,
facts about the machine, claims, and the two ways to print them."""

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

NO_OP = {"command": ["/bin/true"]}

# How far a figure may miss its claim before the benchmark fails: medians of rounds on a
# machine that does other things too differ by about this much from run to run.
NOISE = 0.10


def built(variable):
    """What meson and contrib/bench say with a variable of the environment."""
    if variable not in os.environ:
        sys.exit(f"{variable} is not set: run contrib/bench")
    return os.environ[variable]


def tool(name):
    """The built tool of that name."""
    return os.path.join(built("AP_TOOLS"), name)


def run(*command, **options):
    """Runs a command that must succeed and returns its standard output."""
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, **options).stdout


def create_run(directory, run_id, phases, **members):
    """Records a run in the database of `directory`. `phases`: what the plan says of each
    but its id, which is p0, p1 and so on; `members`: what it says besides."""
    plan = {
        **members,
        "run_id": run_id,
        "phases": [{"id": f"p{i}", **phase} for i, phase in enumerate(phases)],
    }
    run(tool("ap-run"), "create", "-", cwd=directory, input=json.dumps(plan).encode())


def reap_all():
    """Waits for every child and, as a subreaper, every orphan of theirs."""
    while True:
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def become_subreaper():
    """Makes orphans below this process its children, so that their CPU time is counted."""
    import ctypes

    pr_set_child_subreaper = 36
    if ctypes.CDLL(None, use_errno=True).prctl(pr_set_child_subreaper, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "cannot become a subreaper")


def sync_cost(directory, count=200):
    """The median time, in ms, of a 4 KiB write over old data and its fdatasync."""
    path = os.path.join(directory, "sync-cost")
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        os.write(file, bytes(4096 * 16))
        os.fsync(file)
        times = []
        for i in range(count):
            begun = time.perf_counter()
            os.pwrite(file, os.urandom(4096), 4096 * (i % 16))
            os.fdatasync(file)
            times.append((time.perf_counter() - begun) * 1000)
        return statistics.median(times)
    finally:
        os.close(file)


def measured(work):
    """The seconds that `work` takes, and those of CPU time that its processes need."""
    before = os.times()
    begun = time.perf_counter()
    work()
    elapsed = time.perf_counter() - begun
    reap_all()
    after = os.times()
    children = (after.children_user - before.children_user) + (
        after.children_system - before.children_system
    )
    return elapsed, children


def file_system_of(directory):
    return run("stat", "--file-system", "--format=%T", directory).decode().strip()


def cpu_model():
    with open("/proc/cpuinfo", encoding="utf-8") as cpuinfo:
        for line in cpuinfo:
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return "unknown"


class Benchmark:
    """One benchmark: collects samples by name in rounds, judges claims, prints."""

    def __init__(self, name, what, rounds):
        parser = argparse.ArgumentParser(prog=name, description=what)
        parser.add_argument("--json", action="store_true", help="print one JSON object")
        parser.add_argument("--rounds", type=int, default=rounds, help=f"default {rounds}")
        parser.add_argument(
            "--dir",
            default=os.environ.get("AP_BENCH_DIR", "."),
            help="where to work (default AP_BENCH_DIR or .)",
        )
        parser.add_argument(
            "--keep", action="store_true", help="leave behind what was made there"
        )
        self.options = parser.parse_args()
        self.name = name
        self.what = what
        self.samples = {}
        self.units = {}
        self.claims = []
        self.notes = []
        self.sync_costs = []

    def __enter__(self):
        # Nothing is removed before the end: ext4 without a journal makes new files slowly
        # for minutes after many were removed, which would be measured along.
        self.directory = os.path.abspath(
            tempfile.mkdtemp(prefix=f"ap-bench-{self.name}-", dir=self.options.dir)
        )
        become_subreaper()
        return self

    def __exit__(self, exception, *_):
        if exception in (None, SystemExit):
            reap_all()
        if not self.options.keep:
            shutil.rmtree(self.directory)

    def fresh_directory(self, name):
        return tempfile.mkdtemp(prefix=name + "-", dir=self.directory)

    def rounds(self):
        """Counts the rounds, and measures the disk between them."""
        for number in range(1, self.options.rounds + 1):
            self.sync_costs.append(sync_cost(self.directory))
            if sys.stderr.isatty():
                print(f"{self.name}: round {number}/{self.options.rounds}", file=sys.stderr)
            yield number
        self.sync_costs.append(sync_cost(self.directory))

    def add(self, name, value, unit):
        self.samples.setdefault(name, []).append(value)
        self.units[name] = unit

    def timed(self, name, unit, count, work):
        """Adds how long `work` takes for each of `count`, and the CPU time it needs."""
        elapsed, cpu = measured(work)
        self.add(name, elapsed * 1000 / count, unit)
        self.add(name + ", CPU", cpu * 1000 / count, unit)

    def timed_rate(self, name, unit, count, work):
        """Adds how many of `count` are done a second, and the CPU time each needs."""
        elapsed, cpu = measured(work)
        self.add(name, count / elapsed, unit)
        self.add(name + ", CPU", cpu * 1000 / count, "ms each")

    def median(self, name):
        return statistics.median(self.samples[name])

    def sync_ms(self):
        return statistics.median(self.sync_costs)

    def longest(self, name):
        return max(self.samples[name])

    def claim(self, text, measured, limit):
        """Holds if `measured` does not exceed `limit` by more than the noise."""
        self.claims.append((text, measured, limit, measured <= limit * (1 + NOISE)))

    def claim_exactly(self, text, measured, expected):
        self.claims.append((text, measured, expected, measured == expected))

    def claim_at_most(self, text, measured, limit):
        """Holds without any allowance: for what does not depend on how busy the machine is."""
        self.claims.append((text, measured, limit, measured <= limit))

    def note(self, text):
        self.notes.append(text)

    def facts(self):
        return {
            "cpu": cpu_model(),
            "cores": os.cpu_count(),
            "kernel": platform.release(),
            "file_system": file_system_of(self.directory),
            "fdatasync_ms": round(self.sync_ms(), 4),
            "load": round(os.getloadavg()[0], 2),
            "rounds": self.options.rounds,
        }

    def finish(self):
        """Prints everything; the exit status is 1 if a claim does not hold."""
        if self.options.json:
            self.print_json()
        else:
            self.print_table()
        sys.exit(0 if all(holds for *_, holds in self.claims) else 1)

    def print_json(self):
        print(
            json.dumps(
                {
                    "benchmark": self.name,
                    "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
                    "machine": self.facts(),
                    "measured": {
                        name: {
                            "unit": self.units[name],
                            "median": statistics.median(values),
                            "min": min(values),
                            "max": max(values),
                        }
                        for name, values in self.samples.items()
                    },
                    "claims": [
                        {"claim": text, "measured": measured, "limit": limit, "holds": holds}
                        for text, measured, limit, holds in self.claims
                    ],
                    "notes": self.notes,
                }
            )
        )

    def print_table(self):
        facts = self.facts()
        print(f"{self.name}: {self.what}")
        print("  " + ", ".join(f"{key} {value}" for key, value in facts.items()))
        width = max(len(name) for name in self.samples)
        print(f"  {'':{width}}  {'median':>10} {'min':>10} {'max':>10}")
        for name, values in self.samples.items():
            figures = (statistics.median(values), min(values), max(values))
            columns = " ".join(f"{figure:10.3f}" for figure in figures)
            print(f"  {name:{width}}  {columns}  {self.units[name]}")
        for text in self.notes:
            print(f"  {text}")
        for text, measured, limit, holds in self.claims:
            verdict = "holds" if holds else "FAILS"
            print(f"  {verdict}: {text}: {measured:.3f} (limit {limit:.3f})")
