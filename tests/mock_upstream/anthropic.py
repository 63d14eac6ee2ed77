"""Anthropic: Messages, its token counting and its models."""

import reply
from counting import make_answer, prompt_tokens

DIALECT = "anthropic-messages"


def usage_members(usage, completion):
    return {
        "input_tokens": usage.prompt - usage.cached - usage.cache_write,
        "cache_creation_input_tokens": usage.cache_write,
        "cache_read_input_tokens": usage.cached,
        "output_tokens": completion,
    }


def messages(request, scenario):
    body = request.json
    answer = make_answer(request, scenario, body.get("max_tokens"))
    message = {
        "id": request.identity("msg_"),
        "type": "message",
        "role": "assistant",
        "model": body.get("model", ""),
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
    }
    stop = "max_tokens" if answer.limited else "end_turn"
    tells = scenario.usage == "sent"
    if not body.get("stream"):
        message["content"] = [{"type": "text", "text": answer.text}]
        message["stop_reason"] = stop
        if tells:
            message["usage"] = usage_members(answer.usage, answer.usage.completion)
        return answer, reply.json_reply(message, answer, scenario)
    return answer, stream(message, answer, scenario, stop, tells)


def stream(message, answer, scenario, stop, tells):
    events = reply.EventStream(scenario)
    if tells:
        message["usage"] = usage_members(answer.usage, 1)
    events.add({"type": "message_start", "message": message}, "message_start")
    events.add({"type": "content_block_start", "index": 0,
                "content_block": {"type": "text", "text": ""}}, "content_block_start")
    events.add({"type": "ping"}, "ping")
    for text, tokens in reply.pieces(answer, scenario):
        events.add({"type": "content_block_delta", "index": 0,
                    "delta": {"type": "text_delta", "text": text}},
                   "content_block_delta", tokens)
    events.add({"type": "content_block_stop", "index": 0}, "content_block_stop")
    last = {"type": "message_delta",
            "delta": {"stop_reason": stop, "stop_sequence": None}}
    if tells:
        last["usage"] = usage_members(answer.usage, answer.usage.completion)
    events.add(last, "message_delta", tells_usage=tells)
    events.add({"type": "message_stop"}, "message_stop")
    return events.reply()


def count_tokens(request, scenario):
    return None, reply.json_reply({"input_tokens": prompt_tokens(request.json)})


def models(request, scenario):
    entries = [{"type": "model", "id": name, "display_name": name,
                "created_at": "2026-01-01T00:00:00Z"}
               for name in ("claude-mock-large", "claude-mock-small")]
    return None, reply.json_reply({"data": entries, "has_more": False,
                                   "first_id": entries[0]["id"],
                                   "last_id": entries[-1]["id"]})


def error(status, scenario):
    kinds = {400: "invalid_request_error", 401: "authentication_error",
             403: "permission_error", 404: "not_found_error",
             413: "request_too_large", 429: "rate_limit_error",
             529: "overloaded_error"}
    kind = scenario.error_type or kinds.get(status, "api_error")
    return {"type": "error", "error": {"type": kind, "message": scenario.message}}
