#!/usr/bin/env python3
"""Clients of ap-serve that no server wants: hostile_clients PORT

Until standard input ends: followers of events, slow clients that send a header a byte at a
time for ever, and each second malformed requests, oversized ones and bursts of pipelined
ones. Prints one JSON object of how often each was answered or hung up on. All of it with
the lowest priority, so that it is the server that is measured and not its clients.
"""

import asyncio
import collections
import json
import os
import random
import sys

FOLLOWERS = 500
SLOW = 200
A_SECOND = 20  # of each of the others
BURST = 16
PATIENCE = 5  # seconds for an answer
FOLLOW = b"GET /api/events/stream HTTP/1.1\r\nHost: localhost\r\n\r\n"
SLOWLY = b"GET /health HTTP/1.1\r\nHost: localhost\r\nX-Slow: " + b"s" * 4000
MALFORMED = (
    b"GET\r\n\r\n",
    b"GET /health\r\n\r\n",
    b"GET /health HTTP/9.9\r\n\r\n",
    b"GET /health HTTP/1.1\r\nHost localhost\r\n\r\n",
    b"GET /health HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
    b"GET /health HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
    b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n"
    b"Content-Length: 6\r\n\r\nname=x",
    b"GET /../../etc/passwd%00 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET /api/runs?cursor=%ff%fe&limit=-1 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64),
)
OVERSIZED = (
    b"GET /" + b"a" * 65536 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET /health HTTP/1.1\r\nHost: localhost\r\nX-Long: " + b"a" * 131072 + b"\r\n\r\n",
    b"GET /health HTTP/1.1\r\nHost: localhost\r\n" + b"X-Many: 1\r\n" * 10000 + b"\r\n",
    b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1073741824\r\n\r\n"
    + b"a" * 1048576,
)
PIPELINED = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n" * (BURST - 1) + (
    b"GET /dashboard HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
)


class Clients:
    def __init__(self, port):
        self.port = port
        self.counts = collections.Counter()
        self.chance = random.Random(port)

    async def open(self):
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def follow(self):
        reader, writer = await self.open()
        writer.write(FOLLOW)
        try:
            while await reader.read(65536):
                pass
        except OSError:
            pass
        self.counts["followers that were hung up on"] += 1
        writer.close()

    async def send_slowly(self):
        while True:
            reader, writer = await self.open()
            ended = asyncio.ensure_future(reader.read())
            for i in range(len(SLOWLY)):
                writer.write(SLOWLY[i : i + 1])
                await asyncio.wait([ended], timeout=0.2)
                if ended.done():
                    break
            self.counts["slow clients that were hung up on"] += 1
            ended.cancel()
            writer.close()

    async def ask(self, kind, request):
        """Sends it, all at once, and reads until the server closes or says no more."""
        answer = b""
        try:
            reader, writer = await self.open()
            writer.write(request)
            while data := await asyncio.wait_for(reader.read(65536), PATIENCE):
                answer += data
            writer.close()
        except (OSError, asyncio.TimeoutError):
            pass
        answers = answer.count(b"HTTP/1.")
        self.counts[f"{kind}, answered" if answers else f"{kind}, hung up on"] += 1
        if kind == "pipelined" and answers != BURST:
            self.counts["pipelined, not all answered"] += 1

    async def ask_for_ever(self, kind, requests):
        while True:
            garbage = self.chance.randbytes(self.chance.randint(1, 2000))
            request = self.chance.choice(requests or (garbage,))
            asyncio.ensure_future(self.ask(kind, request))
            await asyncio.sleep(1 / A_SECOND)

    async def run(self):
        work = [self.follow() for _ in range(FOLLOWERS)]
        work += [self.send_slowly() for _ in range(SLOW)]
        work += [
            self.ask_for_ever("malformed", MALFORMED),
            self.ask_for_ever("garbage", None),
            self.ask_for_ever("oversized", OVERSIZED),
            self.ask_for_ever("pipelined", (PIPELINED,)),
        ]
        tasks = [asyncio.ensure_future(each) for each in work]
        await asyncio.sleep(1)
        print("under way", flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
        for task in tasks:
            if task.done() and task.exception():
                raise task.exception()
            task.cancel()
        print(json.dumps(self.counts), flush=True)


if __name__ == "__main__":
    os.nice(19)
    asyncio.run(Clients(int(sys.argv[1])).run())
