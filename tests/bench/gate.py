#!/usr/bin/env python3
"""One POST of a chat completion, asked of nginx that answers from its configuration, and of
the same through nginx as a proxy (as people write it, and with connections kept), ap-gate
with every call recorded, and @portkey-ai/gateway; in turns, with 1 and with 16 connections.
"""

import json
import os
import statistics
import subprocess
from contextlib import ExitStack

from gateway_rig import ANSWER, REQUEST, Gate
from measure import Benchmark, built
from web import Load, Nginx, Process, free_port, resident_mib, takes_connections, wait_until

SECONDS = {1: 1, 16: 2}
PATH = "/v1/chat/completions"
UPSTREAM = f"""server {{ listen 127.0.0.1:PORT backlog=4096; default_type application/json;
    location = /served {{ stub_status; }}
    location / {{ return 200 '{json.dumps(ANSWER)}'; }} }}"""
PLAIN = """server {{ listen 127.0.0.1:PORT;
    location / {{ proxy_pass http://127.0.0.1:{port}; }} }}"""
KEPT = """upstream provider {{ server 127.0.0.1:{port}; keepalive 64; }}
    server {{ listen 127.0.0.1:PORT; location / {{ proxy_pass http://provider;
        proxy_http_version 1.1; proxy_set_header Connection ""; }} }}"""
DIRECT, NGINX, NGINX_KEPT = "direct", "nginx", "nginx, connections kept"
GATE, PORTKEY = "ap-gate", "portkey"


class Portkey(Process):
    """@portkey-ai/gateway, where npm put it."""

    def __init__(self, package):
        self.port = free_port()
        server = os.path.join(package, "build/start-server.js")
        super().__init__(
            *("node", server, f"--port={self.port}", "--headless"),
            env={**os.environ, "NODE_ENV": "production", "TRUSTED_CUSTOM_HOSTS": "127.0.0.1"},
            stdout=subprocess.DEVNULL,
        )
        wait_until("portkey", self.process, lambda: takes_connections(self.port))


def portkey_package():
    path = os.path.join(os.environ.get("AP_BENCH_NPM", "."), "node_modules/@portkey-ai/gateway")
    return path if os.path.exists(path) else None


class Contest:
    """The contestants, each with what wrk is to ask it and who answers."""

    def __init__(self, bench, stack):
        self.bench = bench
        os.chmod(bench.directory, 0o755)
        self.upstream = stack.enter_context(Nginx(bench.fresh_directory("upstream"), UPSTREAM))
        port = self.upstream.port
        self.loads = {}
        self.processes = {}
        self.add(DIRECT, f"http://127.0.0.1:{port}")
        for name, http in ((NGINX, PLAIN), (NGINX_KEPT, KEPT)):
            proxy = Nginx(bench.fresh_directory("nginx"), http.format(port=port))
            stack.enter_context(proxy)
            self.add(name, f"http://127.0.0.1:{proxy.port}", proxy.worker)
        self.gate = stack.enter_context(
            Gate(bench.fresh_directory("gate"), f"http://127.0.0.1:{port}")
        )
        self.add(GATE, self.gate.url, self.gate.process.pid, self.gate.key)
        package = portkey_package()
        if package is None:
            bench.note("@portkey-ai/gateway is not installed: left out")
            return
        portkey = stack.enter_context(Portkey(package))
        headers = {
            "x-portkey-provider": "openai",
            "x-portkey-custom-host": f"http://127.0.0.1:{port}/v1",
        }
        url = f"http://127.0.0.1:{portkey.port}"
        self.add(PORTKEY, url, portkey.process.pid, headers=headers)

    def add(self, name, url, pid=None, key="sk-bench", headers=None):
        headers = {
            "Content-Type": "application/json",
            "Authorization": f"Bearer {key}",
            **(headers or {}),
        }
        self.loads[name] = Load(self.bench.directory, url + PATH, headers, json.dumps(REQUEST))
        if pid is not None:
            self.processes[name] = pid

    def round(self, number):
        names = list(self.loads)
        names = names[number % len(names) :] + names[: number % len(names)]
        answered = 0
        for connections, seconds in SECONDS.items():
            for name in names:
                report = self.loads[name].run(connections, seconds)
                self.note(name, connections, report)
                answered += report["requests"] if name == GATE else 0
        for name, pid in self.processes.items():
            self.bench.add(f"memory, {name}", resident_mib(pid), "MiB")
        return answered

    def note(self, name, connections, report):
        if report["errors"]:
            raise RuntimeError(f"{name}: {report['errors']} requests failed")
        place = f"{name}, {connections}"
        self.bench.add(f"p50, {place}", report["p50"] * 1000, "us")
        self.bench.add(f"p99, {place}", report["p99"], "ms")
        self.bench.add(f"rate, {place}", report["requests"] / report["seconds"], "requests/s")


def added(bench, name):
    """What the median request pays for the way through, in us: the median over rounds, as
    what is compared was measured in the same one."""
    through = bench.samples[f"p50, {name}, 1"]
    direct = bench.samples[f"p50, {DIRECT}, 1"]
    return statistics.median(a - b for a, b in zip(through, direct))


def judge(bench, contest, answered):
    recorded, exact, tokens = contest.gate.recorded()
    cut_off = sum(SECONDS) * bench.options.rounds  # in flight at an end of wrk
    bench.note(f"{answered} calls answered through ap-gate, {recorded} recorded, {exact} exactly")
    bench.claim_at_most("answered calls that are not recorded", answered - exact, 0)
    bench.claim_at_most("recorded calls that were not answered", recorded - answered, cut_off)
    served = ANSWER["usage"]["total_tokens"]
    bench.claim_exactly("tokens of a recorded call", tokens / exact, served)
    ours = added(bench, GATE)
    for peer in (NGINX, NGINX_KEPT, PORTKEY):
        if peer in contest.loads:
            theirs = added(bench, peer)
            rate = bench.median(f"rate, {GATE}, 16") / bench.median(f"rate, {peer}, 16")
            bench.note(f"added p50: {ours:.0f} us, {ours / theirs:.2f} times that of {peer}")
            bench.note(f"rate at 16: {rate:.2f} times that of {peer}")
    for peer in (NGINX, NGINX_KEPT):
        bench.claim(f"added p50, to that of {peer}", ours / added(bench, peer), 2)
        share = bench.median(f"rate, {peer}, 16") / bench.median(f"rate, {GATE}, 16")
        bench.claim(f"rate of {peer} at 16 to that of ap-gate", share, 2.5)
    for connections in SECONDS:
        bench.claim(f"p99 in ms, {connections}", bench.median(f"p99, {GATE}, {connections}"), 5)


def main():
    built("AP_TOOLS")
    with Benchmark("gate", "a chat completion through gateways", 5) as bench:
        with ExitStack() as stack:
            contest = Contest(bench, stack)
            answered = sum(contest.round(number) for number in bench.rounds())
            judge(bench, contest, answered)
        bench.finish()


if __name__ == "__main__":
    main()
