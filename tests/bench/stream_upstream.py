#!/usr/bin/env python3
"""A provider whose answers are streams of EVENTS events, one every INTERVAL seconds, the
first at once. Prints its port. GET /peak: the most streams there were at once."""

import asyncio
import json

EVENTS = 20
INTERVAL = 0.2
HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n"
    b"Cache-Control: no-cache\r\nTransfer-Encoding: chunked\r\n\r\n"
)
USAGE = {"prompt_tokens": 90, "completion_tokens": EVENTS, "total_tokens": 90 + EVENTS}


def event(number):
    """One event of a chat completion; the last but one has the usage, then [DONE]."""
    if number == EVENTS - 1:
        return b"data: [DONE]\n\n"
    chunk = {"id": "chatcmpl-bench", "object": "chat.completion.chunk", "model": "gpt-4o-mini"}
    if number == EVENTS - 2:
        chunk.update(choices=[], usage=USAGE)
    else:
        delta = {"content": f"word {number} é "}
        chunk["choices"] = [{"index": 0, "delta": delta, "finish_reason": None}]
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"


EVENT_LIST = [event(number) for number in range(EVENTS)]
BODY = b"".join(EVENT_LIST)


class Upstream(asyncio.Protocol):
    """A connection; the requests of all of them share the counts."""

    now = peak = 0

    def connection_made(self, transport):
        self.transport = transport
        self.received = b""

    def data_received(self, data):
        self.received += data
        head, end, body = self.received.partition(b"\r\n\r\n")
        if not end:
            return
        length = 0
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        if len(body) < length:
            return
        self.received = body[length:]
        if head.startswith(b"GET /peak "):
            text = str(Upstream.peak).encode()
            head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(text)
            self.transport.write(head + text)
            return
        Upstream.now += 1
        Upstream.peak = max(Upstream.peak, Upstream.now)
        self.begun = asyncio.get_running_loop().time()
        self.send(0, HEAD)

    def send(self, number, before=b""):
        data = EVENT_LIST[number]
        last = number == EVENTS - 1
        self.transport.write(
            before + b"%x\r\n%s\r\n" % (len(data), data) + (b"0\r\n\r\n" if last else b"")
        )
        if last:
            Upstream.now -= 1
        else:
            due = self.begun + INTERVAL * (number + 1)
            asyncio.get_running_loop().call_at(due, self.send, number + 1)


async def main():
    server = await asyncio.get_running_loop().create_server(
        Upstream, "127.0.0.1", 0, backlog=4096
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        pass
