#!/usr/bin/env python3
"""1,000 streams at once, straight from a provider and through ap-gate, in turns: when the
first byte comes, whether every byte does, and what ap-gate holds in memory."""

import asyncio
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from contextlib import ExitStack

from gateway_rig import REQUEST, Gate
from measure import Benchmark, built, run
from stream_upstream import BODY, USAGE
from web import Process

STREAMS = 1000
SPREAD = 2.0  # seconds over which the streams begin; each lasts 4
PATIENCE = 60


def dechunked(text):
    """The body of an answer, or nothing if it does not come to its proper end."""
    head, _, rest = text.partition(b"\r\n\r\n")
    body = b""
    while head.startswith(b"HTTP/1.1 200 "):
        size, _, rest = rest.partition(b"\r\n")
        if size == b"0":
            return body if rest == b"\r\n" else None
        if not size:
            break
        length = int(size, 16)
        body += rest[:length]
        rest = rest[length + 2 :]
    return None


class Stream(asyncio.Protocol):
    """One request on a connection of its own."""

    def __init__(self, request):
        self.request = request
        self.pieces = []
        self.first_byte = None
        self.ended = asyncio.get_running_loop().create_future()

    def connection_made(self, transport):
        self.transport = transport

    def begin(self):
        self.begun = time.perf_counter()
        self.transport.write(self.request)

    def data_received(self, data):
        if self.first_byte is None:
            self.first_byte = (time.perf_counter() - self.begun) * 1000
        self.pieces.append(data)
        if data.endswith(b"0\r\n\r\n"):
            self.transport.close()

    def connection_lost(self, _):
        if not self.ended.done():
            self.ended.set_result(dechunked(b"".join(self.pieces)) == BODY)


async def stream_all(port, key):
    """Whether each stream came whole, and after how many ms its first byte did."""
    loop = asyncio.get_running_loop()
    body = json.dumps({**REQUEST, "stream": True, "stream_options": {"include_usage": True}})
    request = (
        "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n"
        f"Authorization: Bearer {key}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n{body}"
    ).encode()
    streams = []
    for _ in range(STREAMS):
        _, stream = await loop.create_connection(lambda: Stream(request), "127.0.0.1", port)
        streams.append(stream)
    for number, stream in enumerate(streams):
        loop.call_later(number * SPREAD / STREAMS, stream.begin)
    await asyncio.wait([stream.ended for stream in streams], timeout=PATIENCE)
    whole = [stream.ended.done() and stream.ended.result() for stream in streams]
    return whole, [stream.first_byte for stream in streams if stream.first_byte is not None]


def measure(bench, name, port, key):
    """Adds when first bytes came, and returns how many streams were not whole."""
    whole, first_bytes = asyncio.run(stream_all(port, key))
    bench.add(f"first byte, median, {name}", statistics.median(first_bytes), "ms")
    p99 = statistics.quantiles(first_bytes, n=100)[98]
    bench.add(f"first byte, p99, {name}", p99, "ms")
    return whole.count(False)


def judge(bench, gate, lost):
    direct, through = (
        bench.samples[f"first byte, median, {name}"] for name in ("direct", "ap-gate")
    )
    delays = [late - early for early, late in zip(direct, through)]
    bench.claim("ms by which the median first byte is delayed", statistics.median(delays), 2)
    bench.claim_exactly("streams of which a byte is missing or another", lost, 0)
    recorded, exact, tokens = gate.recorded()
    streams = STREAMS * bench.options.rounds
    bench.claim_exactly("streams recorded", recorded, streams)
    bench.claim_exactly("streams recorded with the provider's figures", exact, streams)
    bench.claim_exactly("tokens recorded", tokens, streams * USAGE["total_tokens"])
    bench.claim_at_most("MiB that ap-gate held at most", gate.peak_mib(), 64)


def main():
    built("AP_TOOLS")
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    with Benchmark("gate_streams", f"{STREAMS} streams at once through ap-gate", 3) as bench:
        with ExitStack() as stack:
            script = os.path.join(os.path.dirname(__file__), "stream_upstream.py")
            upstream = Process(sys.executable, script, stdout=subprocess.PIPE)
            stack.enter_context(upstream)
            port = int(upstream.process.stdout.readline())
            url = f"http://127.0.0.1:{port}"
            gate = stack.enter_context(Gate(bench.fresh_directory("gate"), url))
            gate_port = int(gate.url.rsplit(":", 1)[1])
            places = {"direct": (port, "sk"), "ap-gate": (gate_port, gate.key)}
            lost = 0
            for number in bench.rounds():
                for name in list(places)[:: 1 if number % 2 else -1]:
                    lost += measure(bench, name, *places[name])
            peak = int(run("curl", "-s", url + "/peak"))
            bench.note(f"at most {peak} streams at once")
            judge(bench, gate, lost)
        bench.finish()


if __name__ == "__main__":
    main()
