#!/usr/bin/env python3
"""ap-serve with 10,000 runs, 100,000 phases and 10 million usage events against one with a
hundredth of that: health and dashboard must cost the same. Then wrk on /health against
nginx with a file of the same size, in turns, and a run of no-op phases with and without 500
clients that follow events.

Each health request is made after the answer before it has grown stale, so that what is
timed is the work, not the tenth of a second for which an answer is kept.
"""

import http.client
import json
import os
import socket
import sqlite3
import subprocess
import time
from contextlib import ExitStack, closing

from measure import NO_OP, Benchmark, create_run, run, tool
from web import Hostile, Load, Nginx

RUNS = 10_000
PHASES = 100_000
EVENTS = 10_000_000
SIZES = {"1 %": 100, "100 %": 1}
CALLS = 40
STALE = 0.105
WATCHERS = 500  # as hostile_clients has it
NO_OPS = 1000
PAIRS = 3  # of runs with and without them, a round
WITHOUT, WITH = "no-op phase, without watchers", f"no-op phase, with {WATCHERS} watchers"
DATABASE = "autopack.db"
NGINX = """open_file_cache max=10; open_file_cache_valid 60s;
    server { listen 127.0.0.1:PORT; root DIRECTORY; }"""

NUMBERS = "WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n LIMIT {count})"
FILL = (
    """INSERT INTO runs (run_id, goal, status, phases, complete_phases, plan, created_at,
           started_at, ended_at)
       SELECT 'run-' || i, 'goal of run ' || i, 'DONE_SUCCESS', 10, 10, '{{}}',
           {now} - i * 60000, {now} - i * 60000, {now} - i * 60000 + 50000 FROM n""",
    """INSERT INTO tiers (run_id, tier_id, ordinal, name)
       SELECT 'run-' || i, 'main', 0, 'main' FROM n""",
    """INSERT INTO budgets (run_id, phase_id, token_cap)
       SELECT 'run-' || i, '', 5000000 FROM n""",
    """INSERT INTO phases (run_id, phase_id, tier_id, ordinal, phase_name, type, status,
           attempts_made, spec, created_at)
       SELECT 'run-' || (i / 10), 'p' || (i % 10), 'main', i % 10, 'phase', 'audit',
           'COMPLETE', 1, '{{}}', {now} FROM n""",
    """INSERT INTO llm_usage_events (run_id, phase_id, model, prompt_tokens,
           completion_tokens, source, created_at)
       SELECT 'run-' || (i % {runs}), 'p' || (i % 10), 'model-' || (i % 7), 1000, 100,
           'gateway', {now} - i * 7919 % 600000 * 1000 FROM n""",
)
SUMS = """
    INSERT INTO usage_hours SELECT created_at - created_at % 3600000, model, count(*),
        sum(prompt_tokens), sum(completion_tokens), 0, 0 FROM llm_usage_events GROUP BY 1, 2;
    INSERT INTO usage_models SELECT run_id, phase_id, model, count(*), sum(prompt_tokens),
        sum(completion_tokens), 0, 0 FROM llm_usage_events GROUP BY 1, 2, 3;
    UPDATE budgets SET tokens_used = coalesce((SELECT sum(prompt_tokens + completion_tokens)
        FROM usage_models m WHERE m.run_id = budgets.run_id), 0)
"""


def fill(path, share):
    """Writes the history. The triggers that sum usage are left out for the time, as their
    sums are made at once."""
    now = int(time.time() * 1000)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for pragma in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -400000"):
            connection.execute(f"PRAGMA {pragma}")
        triggers = connection.execute(
            "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger' AND "
            "tbl_name = 'llm_usage_events' AND name IN ('usage_counted', 'usage_summed')"
        ).fetchall()
        connection.execute("BEGIN")
        for name, _ in triggers:
            connection.execute(f"DROP TRIGGER {name}")
        counts = (RUNS, RUNS, RUNS, PHASES, EVENTS)
        for statement, count in zip(FILL, counts):
            insert = statement.format(now=now, runs=RUNS // share)
            connection.execute(NUMBERS.format(count=count // share) + insert)
        for statement in SUMS.split(";"):
            connection.execute(statement)
        for _, sql in triggers:
            connection.execute(sql)
        connection.execute("COMMIT")
        connection.execute("PRAGMA journal_mode = WAL")


class Server:
    """An ap-serve in a directory, of so much lower a priority than others."""

    def __init__(self, directory, nice=0):
        self.directory = directory
        self.process = subprocess.Popen(
            ["nice", "-n", str(nice), tool("ap-serve"), "--port", "0"],
            cwd=directory,
            stderr=subprocess.DEVNULL,
        )
        path = os.path.join(directory, ".autonomous_runs", "serve.json")
        while not os.path.exists(path):
            if self.process.poll() is not None:
                raise RuntimeError("ap-serve ended")
            time.sleep(0.02)
        with open(path, encoding="utf-8") as file:
            self.url = json.load(file)["url"]
        self.port = int(self.url.rsplit(":", 1)[1])
        self.connection = http.client.HTTPConnection("127.0.0.1", self.port)
        self.connection.connect()
        self.connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()

    def timed(self, path):
        begun = time.perf_counter()
        self.connection.request("GET", path)
        answer = self.connection.getresponse()
        body = answer.read()
        elapsed = (time.perf_counter() - begun) * 1000
        if answer.status != 200:
            raise RuntimeError(f"{path}: {answer.status}")
        return elapsed, body


def wrk_rate(bench, port):
    report = Load(bench.directory, f"http://127.0.0.1:{port}/health").run(16, 4)
    return report["requests"] / report["seconds"]


def measure_pages(bench, servers):
    for call in range(CALLS):
        names = list(servers) if call % 2 else list(servers)[::-1]
        time.sleep(STALE)
        for name in names:
            bench.add(f"/health, {name}", servers[name].timed("/health")[0], "ms")
        for name in names:
            bench.add(f"/dashboard, {name}", servers[name].timed("/dashboard")[0], "ms")


class Watched:
    """Executes runs with followers of events, as browsers are, and beside a process that
    works as much as these clients do, of the same priority (serve_hostile tells why)."""

    def __init__(self, bench, directory, server):
        self.bench = bench
        self.directory = directory
        self.server = server
        self.runs = 0
        self.missed = 0
        _, self.processor = self.execute("--only-follow")

    def execute(self, *options):
        """ms a phase, and what the other process took, in us a second."""
        self.runs += 1
        run_id = f"watched-{self.runs}"
        create_run(self.directory, run_id, [NO_OP] * NO_OPS)
        with Hostile(self.server.port, *options) as clients:
            begun = time.perf_counter()
            run(tool("ap-exec"), "--run-id", run_id, cwd=self.directory)
            length = time.perf_counter() - begun
        self.missed += clients.counts.get("events missed", 0)
        self.missed += clients.counts.get("followers that were hung up on", 0)
        return length * 1000 / NO_OPS, clients.processor

    def measure(self, number):
        for name in (WITHOUT, WITH)[:: 1 if number % 2 else -1]:
            if name == WITH:
                each, self.processor = self.execute("--only-follow")
            else:
                each, _ = self.execute("--instead", str(self.processor))
            self.bench.add(name, each, "ms")


def main():
    with Benchmark("serve", "health and dashboard, small and large history", 3) as bench:
        directories = {}
        for name, share in SIZES.items():
            directories[name] = bench.fresh_directory("state")
            run(tool("ap-db"), "init", cwd=directories[name])
            fill(os.path.join(directories[name], DATABASE), share)
        with ExitStack() as stack:
            servers = {
                name: stack.enter_context(Server(directory))
                for name, directory in directories.items()
            }
            body = servers["100 %"].timed("/health")[1]
            files = bench.fresh_directory("nginx")
            os.chmod(bench.directory, 0o755)
            with open(os.path.join(files, "health"), "wb") as file:
                file.write(body)
            nginx = stack.enter_context(Nginx(files, NGINX))
            watched = Watched(bench, directories["1 %"], servers["1 %"])
            for number in bench.rounds():
                measure_pages(bench, servers)
                bench.add("wrk, /health", wrk_rate(bench, servers["100 %"].port), "requests/s")
                bench.add("wrk, nginx", wrk_rate(bench, nginx.port), "requests/s")
                for pair in range(PAIRS):
                    watched.measure(number + pair)
        bench.claim("p50 of /health in ms", bench.median("/health, 100 %"), 1.0)
        bench.claim("p50 of /dashboard in ms", bench.median("/dashboard, 100 %"), 20.0)
        for page in ("/health", "/dashboard"):
            ratio = bench.median(f"{page}, 100 %") / bench.median(f"{page}, 1 %")
            bench.claim(f"{page} with all of the history, to 1 % of it", ratio, 1.3)
        share = bench.median("wrk, nginx") / bench.median("wrk, /health")
        bench.claim("rate of nginx to that of /health", share, 4.0)
        slower = bench.median(WITH) / bench.median(WITHOUT)
        bench.claim(f"a phase with {WATCHERS} watchers, to one without", slower, 1.05)
        bench.claim_exactly("events that watchers missed", watched.missed, 0)
        bench.finish()


if __name__ == "__main__":
    main()
