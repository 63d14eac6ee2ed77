"""Sends an answer the way a scenario wants it sent."""

import asyncio
import random
import socket
import struct
import zlib

import wire

LOOK_EVERY = 0.01  # seconds between looks at whether the client is still there


class ClientGone(Exception):
    """The client closed its connection before it had the whole answer."""


class Cut(Exception):
    """The scenario ends the connection here."""


class Delivery:
    """Sends one reply and keeps count of the output tokens that left."""

    def __init__(self, reader, writer, scenario, close):
        self._reader = reader
        self._writer = writer
        self._scenario = scenario
        self._close = close
        self._random = random.Random(scenario.seed)
        self._bytes = 0  # of the body, as encoded
        self.tokens_sent = 0
        self.usage_sent = False

    async def send(self, reply):
        """Sends the reply. Throws ClientGone or Cut when it did not come to its end."""
        scenario = self._scenario
        await self.wait(scenario.stall_before_ms)
        framing = scenario.framing or ("chunked" if reply.streamed else "length")
        encoded = self._encode(reply)
        headers = [("content-type", reply.content_type), *reply.headers]
        if scenario.encoding != "identity":
            headers.append(("content-encoding", scenario.encoding))
        if framing == "length":
            headers.append(("content-length", sum(len(data) for data in encoded)))
        elif framing == "chunked":
            headers.append(("transfer-encoding", "chunked"))
        closes = self._close or framing == "close"
        headers.append(("connection", "close" if closes else "keep-alive"))
        await self._write(wire.head_of(reply.status, headers))
        await self._send_parts(reply, encoded, framing == "chunked")
        if framing == "chunked":
            await self._write(b"0\r\n\r\n")
        return closes

    async def _send_parts(self, reply, encoded, chunked):
        scenario = self._scenario
        said = 0  # events, or parts, that carried output
        for part, data in zip(reply.parts, encoded):
            if scenario.cut_after_events is not None and said >= scenario.cut_after_events:
                self._cut()
            if said == scenario.stall_after_events and part.tokens:
                await self.wait(scenario.stall_ms)
            for piece in self._split(data):
                await self._write_body(piece, chunked)
                if scenario.drip_ms and not reply.streamed:
                    await self.wait(scenario.drip_ms)
            self.tokens_sent += part.tokens
            self.usage_sent = self.usage_sent or part.tells_usage
            said += part.tokens > 0
            if scenario.drip_ms and reply.streamed:
                await self.wait(scenario.drip_ms)

    def _encode(self, reply):
        """The parts' bytes as they go out: each part is whole after its own bytes."""
        if self._scenario.encoding == "identity":
            return [part.data for part in reply.parts]
        bits = 31 if self._scenario.encoding == "gzip" else 15
        compressor = zlib.compressobj(wbits=bits)
        encoded = [compressor.compress(part.data) + compressor.flush(zlib.Z_SYNC_FLUSH)
                   for part in reply.parts]
        if encoded:
            encoded[-1] += compressor.flush()
        return encoded

    def _split(self, data):
        """The pieces of a part that are written one by one."""
        split = self._scenario.split
        if split is None or not data:
            return [data]
        if isinstance(split, int):
            return [data[i:i + split] for i in range(0, len(data), split)]
        if split == "random":
            pieces = []
            while data:
                size = self._random.randint(1, 16)
                pieces.append(data[:size])
                data = data[size:]
            return pieces
        marks = [each - self._bytes for each in split if 0 < each - self._bytes < len(data)]
        bounds = [0, *sorted(marks), len(data)]
        return [data[a:b] for a, b in zip(bounds, bounds[1:])]

    async def _write_body(self, piece, chunked):
        limit = self._scenario.cut_after_bytes
        cut = limit is not None and self._bytes + len(piece) > limit
        if cut:
            piece = piece[: limit - self._bytes]
        self._bytes += len(piece)
        if piece and chunked:
            piece = b"%x\r\n%s\r\n" % (len(piece), piece)
        await self._write(piece)
        if cut:
            self._cut()

    async def _write(self, data):
        if self._reader.at_eof() or self._writer.is_closing():
            raise ClientGone
        try:
            self._writer.write(data)
            await self._writer.drain()
            await asyncio.sleep(0)
        except ConnectionError:
            raise ClientGone from None

    async def wait(self, milliseconds):
        """Waits, for ever if negative, as long as the client does."""
        loop = asyncio.get_running_loop()
        until = float("inf") if milliseconds < 0 else loop.time() + milliseconds / 1000
        while (left := until - loop.time()) > 0:
            await asyncio.sleep(min(left, LOOK_EVERY))
            if self._reader.at_eof() or self._writer.is_closing():
                raise ClientGone

    def _cut(self):
        if self._scenario.cut == "rst":
            reset(self._writer)
        raise Cut


def reset(writer):
    """Makes the connection end with a RST rather than a FIN."""
    handle = writer.get_extra_info("socket")
    handle.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
