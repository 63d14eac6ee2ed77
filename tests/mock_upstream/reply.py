"""What a dialect wants sent: parts of a body, each worth so many output tokens."""

import dataclasses
import json


@dataclasses.dataclass(frozen=True)
class Part:
    data: bytes
    tokens: int = 0
    tells_usage: bool = False


@dataclasses.dataclass(frozen=True)
class Reply:
    parts: list
    content_type: str = "application/json"
    status: int = 200
    headers: tuple = ()
    streamed: bool = False


def compact(value):
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


class EventStream:
    """Collects server-sent events as parts, in the scenario's manner of writing."""

    def __init__(self, scenario):
        self._scenario = scenario
        self._parts = []

    def add(self, data, event=None, tokens=0, tells_usage=False):
        """Adds one event of JSON `data` (or a string as it is)."""
        end = self._scenario.newline
        text = data if isinstance(data, str) else compact(data)
        if self._scenario.bad_json and tokens and not self._has_words():
            text = text[: len(text) // 2]
        lines = "" if event is None else f"event: {event}{end}"
        if self._scenario.comments:
            lines = f": comment{end}{end}" + lines
        block = f"{lines}data: {text}{end}{end}".encode("utf-8", "surrogatepass")
        self._parts.append(Part(block, tokens, tells_usage))

    def _has_words(self):
        return any(part.tokens for part in self._parts)

    def reply(self):
        return Reply(self._parts, "text/event-stream; charset=utf-8", streamed=True,
                     headers=(("cache-control", "no-cache"),))


def pieces(answer, scenario):
    """The answer's words in groups as events hold them: (text, tokens) each. Padding goes
    into the text as spaces."""
    step = scenario.tokens_per_event
    for start in range(0, len(answer.words), step):
        group = answer.words[start:start + step]
        text = "".join(group)
        yield text + " " * max(0, scenario.event_bytes - len(text)), len(group)


def json_reply(value, answer=None, scenario=None):
    """A plain JSON answer; the whole of it carries all of its tokens."""
    text = compact(value)
    if scenario is not None and scenario.bad_json:
        text = text[: len(text) // 2]
    tokens = 0 if answer is None else answer.usage.completion
    part = Part(text.encode("utf-8", "surrogatepass"), tokens, tells_usage=True)
    return Reply([part])
