"""Deterministic token counts and answers.

A string costs a token for each four of its bytes, rounded up, a message three more and an
image 85, so an upper bound of one token a byte plus a few a message always holds. The
answer is numbered words, a token each, of which the request's own hash says how many.
"""

import dataclasses
import zlib

IMAGE_TOKENS = 85
MESSAGE_TOKENS = 3
TEXT_MEMBERS = ("system", "instructions", "messages", "input", "contents", "tools",
                "systemInstruction", "system_instruction")


@dataclasses.dataclass(frozen=True)
class Usage:
    """What one call costs. `prompt` has the cached and written parts in it, `completion`
    the reasoning."""

    prompt: int = 0
    completion: int = 0
    cached: int = 0
    cache_write: int = 0
    reasoning: int = 0


@dataclasses.dataclass(frozen=True)
class Answer:
    words: list  # of each choice
    usage: Usage
    limited: bool  # stopped by the request's limit
    choices: int = 1

    @property
    def text(self):
        return "".join(self.words)


def text_tokens(value):
    """Tokens of all strings in a JSON value."""
    if isinstance(value, str):
        if value.startswith("data:"):
            return IMAGE_TOKENS
        return -(-len(value.encode("utf-8", "surrogatepass")) // 4)
    if isinstance(value, list):
        return sum(text_tokens(each) for each in value)
    if isinstance(value, dict):
        if isinstance(value.get("data"), str):
            return IMAGE_TOKENS
        return sum(text_tokens(each) for each in value.values())
    return 0


def prompt_tokens(body):
    """Tokens of a request's input, at least 1."""
    count = 0
    for name in TEXT_MEMBERS:
        value = body.get(name)
        count += text_tokens(value)
        if name in ("messages", "contents", "input") and isinstance(value, list):
            count += MESSAGE_TOKENS * len(value)
    return max(1, count)


def has_member(value, name):
    """Whether a JSON value has a member of this name anywhere."""
    if isinstance(value, dict):
        return name in value or any(has_member(each, name) for each in value.values())
    if isinstance(value, list):
        return any(has_member(each, name) for each in value)
    return False


def words_of(text):
    """The words of a text, each with the space after it: a token each."""
    words = [word + " " for word in text.split(" ")]
    words[-1] = words[-1][:-1]
    return words


def either(given, derived):
    return derived if given is None else given


def make_answer(request, scenario, limit, choices=1, reasons=False):
    """The answer to a request whose output limit is `limit` tokens (None: no limit)."""
    body = request.json
    prompt = either(scenario.input_tokens, prompt_tokens(body))
    wanted = either(scenario.output_tokens, 16 + zlib.crc32(request.body) % 49)
    said = None if scenario.text is None else words_of(scenario.text)
    if said is not None and scenario.output_tokens is None:
        wanted = len(said)
    limited = False
    if limit is not None and scenario.over_deliver:
        wanted = limit + scenario.over_deliver
        limited = True
    elif limit is not None and wanted > limit:
        wanted = limit
        limited = True
    words = [f"w{i} " for i in range(wanted)] if said is None else said[:wanted]
    reasoning = either(scenario.reasoning_tokens, wanted // 4 if reasons else 0)
    cached = either(scenario.cached_tokens, 0)
    cache_write = either(scenario.cache_write_tokens, 0)
    if scenario.cached_tokens is None and has_member(body, "cache_control"):
        cached, cache_write = prompt // 4, prompt // 8
    usage = Usage(prompt, wanted * choices, cached, cache_write,
                  min(reasoning, wanted) * choices)
    return Answer(words, usage, limited, choices)
