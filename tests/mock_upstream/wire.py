"""HTTP/1.1 read and written by hand, so that an answer can be cut, split and delayed at
any byte."""

import hashlib
import json
import urllib.parse

MOST_HEAD = 256 * 1024
MOST_BODY = 256 * 1024 * 1024

REASONS = {200: "OK", 204: "No Content", 400: "Bad Request", 401: "Unauthorized",
           403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed",
           408: "Request Timeout", 413: "Content Too Large", 429: "Too Many Requests",
           500: "Internal Server Error", 502: "Bad Gateway", 503: "Service Unavailable",
           504: "Gateway Timeout", 529: "Overloaded"}


class BadRequest(Exception):
    """What the client sent is no HTTP/1.1 request."""


class Request:
    """One request, read whole."""

    def __init__(self, method, target, headers, body):
        self.method = method
        self.target = target
        path, _, query = target.partition("?")
        self.path = urllib.parse.unquote(path)
        self.query = urllib.parse.parse_qs(query, keep_blank_values=True)
        self.headers = headers
        self.body = body
        self.number = 0
        self.model = ""
        self._json = None

    @property
    def json(self):
        """The body as an object; ValueError if it is none."""
        if self._json is None:
            value = json.loads(self.body or b"{}")
            if not isinstance(value, dict):
                raise ValueError("expected an object")
            self._json = value
        return self._json

    @property
    def key(self):
        """The key the client came with, wherever a dialect puts it; "" if none."""
        bearer = self.headers.get("authorization", "")
        if bearer.lower().startswith("bearer "):
            bearer = bearer[7:]
        return (self.headers.get("x-api-key") or self.headers.get("x-goog-api-key")
                or bearer or self.query.get("key", [""])[0])

    def identity(self, prefix):
        """An identifier for what answers this request: its number and its hash."""
        digest = hashlib.blake2b(self.body, digest_size=8).hexdigest()
        return f"{prefix}{self.number}{digest}"

    def wants_close(self):
        return self.headers.get("connection", "").lower() == "close"


async def read_request(reader, writer):
    """The next request of a connection; None at its end."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except EOFError as error:
        if error.partial:
            raise BadRequest("the head is cut off") from None
        return None
    lines = head.decode("latin-1").split("\r\n")
    try:
        method, target, version = lines[0].split(" ")
    except ValueError:
        raise BadRequest(f"no request line: {lines[0][:80]!r}") from None
    if not version.startswith("HTTP/1."):
        raise BadRequest(f"unknown version {version[:20]!r}")
    headers = {}
    for line in lines[1:-2]:
        name, colon, value = line.partition(":")
        if not colon:
            raise BadRequest(f"no header: {line[:80]!r}")
        name = name.strip().lower()
        value = value.strip()
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    if headers.get("expect", "").lower() == "100-continue":
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    return Request(method, target, headers, await read_body(reader, headers))


async def read_body(reader, headers):
    if "chunked" in headers.get("transfer-encoding", "").lower():
        return await read_chunks(reader)
    length = int(headers.get("content-length", "0"))
    if length > MOST_BODY:
        raise BadRequest("the body is too large")
    return await reader.readexactly(length)


async def read_chunks(reader):
    body = bytearray()
    while True:
        size = int((await reader.readuntil(b"\r\n")).split(b";")[0], 16)
        if len(body) + size > MOST_BODY:
            raise BadRequest("the body is too large")
        body += await reader.readexactly(size)
        trailer = await reader.readuntil(b"\r\n")
        if size == 0:
            while trailer != b"\r\n":
                trailer = await reader.readuntil(b"\r\n")
            return bytes(body)


def head_of(status, headers):
    """The head of an answer."""
    lines = [f"HTTP/1.1 {status} {REASONS.get(status, 'Mock')}"]
    lines += [f"{name}: {value}" for name, value in headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
