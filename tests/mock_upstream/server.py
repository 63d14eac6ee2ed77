"""Routes requests to the dialects, and the control endpoint under /mock/."""

import asyncio
import dataclasses
import json
import re

import anthropic
import gemini
import openai_chat
import openai_responses
from delivery import ClientGone, Cut, Delivery
from reply import Part, Reply, json_reply
from scenario import Scenario
from wire import MOST_HEAD, BadRequest, head_of, read_request

# method, path, dialect, who answers, who words an error
ROUTES = [
    (method, re.compile(path), dialect, handler, error)
    for method, path, dialect, handler, error in [
        ("POST", r"/v1/messages", "anthropic-messages", anthropic.messages,
         anthropic.error),
        ("POST", r"/v1/messages/count_tokens", "anthropic-count",
         anthropic.count_tokens, anthropic.error),
        ("POST", r"(?:/v1)?/chat/completions", "openai-chat", openai_chat.completions,
         openai_chat.error),
        ("POST", r"(?:/v1)?/responses", "openai-responses", openai_responses.responses,
         openai_chat.error),
        ("POST", r"(?:/v1)?/responses/input_tokens", "openai-count",
         openai_responses.input_tokens, openai_chat.error),
        ("POST", r"(?:/v1)?/embeddings", "openai-embeddings", openai_chat.embeddings,
         openai_chat.error),
        ("POST", r"/v1(?:beta)?/models/(?P<model>[^/:]+):generateContent", "gemini",
         gemini.generate, gemini.error),
        ("POST", r"/v1(?:beta)?/models/(?P<model>[^/:]+):streamGenerateContent",
         "gemini-stream", gemini.stream, gemini.error),
        ("POST", r"/v1(?:beta)?/models/(?P<model>[^/:]+):countTokens", "gemini-count",
         gemini.count, gemini.error),
        ("GET", r"/v1beta/models", "gemini-models", gemini.models, gemini.error),
    ]
]


def route_of(request):
    """Who answers: (dialect, handler, error words); None if nobody does."""
    for method, path, dialect, handler, error in ROUTES:
        found = path.fullmatch(request.path)
        if found and method == request.method:
            request.model = found.groupdict().get("model", "")
            return dialect, handler, error
    if request.method == "GET" and request.path in ("/v1/models", "/models"):
        if "anthropic-version" in request.headers:
            return "anthropic-models", anthropic.models, anthropic.error
        return "openai-models", openai_chat.models, openai_chat.error
    return None


class Server:
    """The mock: what it is to do, and the record of what it did."""

    def __init__(self, book, served):
        self._book = book
        self._served = served
        self._connections = set()

    async def start(self, host, port):
        return await asyncio.start_server(self._accept, host, port, limit=MOST_HEAD,
                                          backlog=4096)

    async def _accept(self, reader, writer):
        task = asyncio.current_task()
        self._connections.add(task)
        try:
            while await self._serve_one(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError,
                BadRequest, ValueError, asyncio.CancelledError):
            pass
        finally:
            self._connections.discard(task)
            writer.close()

    async def _serve_one(self, reader, writer):
        """Answers one request; whether the connection goes on."""
        request = await read_request(reader, writer)
        if request is None:
            return False
        if request.path.startswith("/mock/"):
            return await self._control(request, reader, writer)
        if request.method == "HEAD":
            writer.write(head_of(200, [("content-length", 0)]))
            await writer.drain()
            return not request.wants_close()
        return await self._answer(request, reader, writer)

    async def _answer(self, request, reader, writer):
        begun = self._served.begin()
        request.number = self._served.started
        route = route_of(request)
        dialect, handler, error = route or ("unknown", None, openai_chat.error)
        scenario, answer, reply = self._decide(request, handler, error)
        reply = named(reply, request, dialect)
        delivery = Delivery(reader, writer, scenario, request.wants_close())
        outcome = "client_gone"
        try:
            closes = await delivery.send(reply)
            outcome = "complete"
            return not closes
        except Cut:
            outcome = "cut"
            return False
        except ClientGone:
            return False
        finally:
            self._served.end(begun, request, dialect, answer, delivery, reply.status,
                             outcome)

    def _decide(self, request, handler, error):
        """The scenario, the answer (None if there is none) and the reply."""
        scenario = Scenario()
        if handler is None:
            scenario = Scenario(message=f"no such endpoint: {request.path}")
            return scenario, None, error_reply(404, scenario, error)
        try:
            if request.method == "POST":
                request.model = request.model or request.json.get("model", "")
                scenario = self._book.take(request)
            if scenario.status != 200:
                return scenario, None, error_reply(scenario.status, scenario, error)
            answer, reply = handler(request, scenario)
            return scenario, answer, reply
        except (ValueError, TypeError, AttributeError) as problem:
            bad = Scenario(message=f"bad request: {problem}")
            return bad, None, error_reply(400, bad, error)

    async def _control(self, request, reader, writer):
        """GET /mock/log, /mock/totals; POST /mock/scenario, /mock/reset."""
        reply = Reply([Part(b"{}")])
        asked = (request.method, request.path)
        if asked == ("GET", "/mock/log"):
            reply = Reply([Part(self._served.lines().encode())], "application/jsonl")
        elif asked == ("GET", "/mock/totals"):
            reply = json_reply(self._served.totals())
        elif asked == ("POST", "/mock/reset"):
            self._served.reset()
            self._book.change({"default": {}, "queue": []})
        elif asked == ("POST", "/mock/scenario"):
            try:
                self._book.change(request.json)
            except ValueError as problem:
                reply = Reply([Part(json.dumps({"error": str(problem)}).encode())],
                              status=400)
        else:
            reply = Reply([Part(b'{"error":"no such control"}')], status=404)
        closes = await Delivery(reader, writer, Scenario(), request.wants_close()).send(reply)
        return not closes


def named(reply, request, dialect):
    """The reply with the field in which its provider names the request, if it does."""
    fields = {"anthropic": "request-id", "openai": "x-request-id"}
    field = fields.get(dialect.partition("-")[0])
    if field is None:
        return reply
    name = (field, request.identity("req_"))
    return dataclasses.replace(reply, headers=(*reply.headers, name))


def error_reply(status, scenario, error):
    text = json.dumps(error(status, scenario))
    if scenario.bad_json:
        text = "<html>mock failure</html>"
    headers = ()
    if scenario.retry_after is not None:
        headers = (("retry-after", str(scenario.retry_after)),)
    return Reply([Part(text.encode())], status=status, headers=headers)
