"""What the mock is to do wrong, and how much it is to say.

A scenario is a JSON object with the fields below. It comes with a request, in the header
`x-mock-scenario`, or waits at the control endpoint: first what a script (script.py) has for
it, then the queue, one for each model call in order of arrival, then the default for all
calls after.
"""

import collections
import dataclasses
import json


@dataclasses.dataclass(frozen=True)
class Scenario:
    # Refusals
    status: int = 200  # other than 200: an error in the dialect's shape
    retry_after: str | int | None = None  # the header, as given
    error_type: str | None = None
    message: str = "mock failure"
    # How much is said and counted; None: derived from the request
    output_tokens: int | None = None
    input_tokens: int | None = None
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None
    reasoning_tokens: int | None = None
    over_deliver: int = 0  # tokens beyond the request's limit
    text: str | None = None  # said instead of numbered words; a word is a token
    usage: str = "sent"  # "omitted": the answer tells no usage
    # When
    stall_before_ms: int = 0  # before the first byte; -1: for ever
    stall_after_events: int | None = None  # then waits stall_ms; -1: for ever
    stall_ms: int = -1
    drip_ms: int = 0  # between events, or between pieces of a plain body
    # How it ends
    cut_after_bytes: int | None = None  # of the body as encoded
    cut_after_events: int | None = None
    cut: str = "rst"  # or "fin"
    # How it is written
    framing: str | None = None  # "length", "chunked", "close"
    encoding: str = "identity"  # "gzip", "deflate"
    split: int | str | list | None = None  # N bytes, "random", or positions
    seed: int = 1  # of random splits
    newline: str = "\n"  # of SSE: "\n", "\r\n" or "\r"
    comments: bool = False  # SSE comment lines between events
    tokens_per_event: int = 4
    event_bytes: int = 0  # pads each text event to at least this size
    bad_json: bool = False  # one event, or the body, is no JSON

    def __post_init__(self):
        if self.cut not in ("rst", "fin"):
            raise ValueError(f"cut: expected rst or fin, got {self.cut!r}")
        if self.encoding not in ("identity", "gzip", "deflate"):
            raise ValueError(f"encoding: unknown: {self.encoding!r}")
        if self.framing not in (None, "length", "chunked", "close"):
            raise ValueError(f"framing: unknown: {self.framing!r}")
        if self.tokens_per_event < 1:
            raise ValueError("tokens_per_event: expected 1 or more")


def scenario_from(members):
    """The scenario of a JSON object; ValueError names what is wrong."""
    try:
        return Scenario(**members)
    except TypeError as error:
        raise ValueError(str(error).replace("Scenario.__init__() ", "")) from None


class ScenarioBook:
    """The scenarios that wait for calls."""

    def __init__(self):
        self.queue = collections.deque()
        self.default = Scenario()
        self.script = None

    def take(self, request):
        """The scenario of the next model call, whose header comes first."""
        given = request.headers.get("x-mock-scenario")
        if given is not None:
            return scenario_from(json.loads(given))
        recorded = self.script.take(request) if self.script else None
        if recorded is not None:
            return recorded
        return self.queue.popleft() if self.queue else self.default

    def change(self, members):
        """Sets {"default": {...}, "queue": [{...}...]}; what is missing stays."""
        unknown = set(members) - {"default", "queue"}
        if unknown:
            raise ValueError(f"unknown member {sorted(unknown)[0]!r}")
        default = scenario_from(members.get("default", {}))
        queue = [scenario_from(each) for each in members.get("queue", [])]
        if "default" in members:
            self.default = default
        if "queue" in members:
            self.queue = collections.deque(queue)
