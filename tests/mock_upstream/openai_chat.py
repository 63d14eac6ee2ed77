"""OpenAI: Chat Completions, Embeddings, models, and the shape of its errors."""

import reply
from counting import Answer, Usage, make_answer, text_tokens

DIALECT = "openai-chat"


def usage_members(usage):
    return {
        "prompt_tokens": usage.prompt,
        "completion_tokens": usage.completion,
        "total_tokens": usage.prompt + usage.completion,
        "prompt_tokens_details": {"cached_tokens": usage.cached},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning},
    }


def completions(request, scenario):
    body = request.json
    limit = body.get("max_completion_tokens", body.get("max_tokens"))
    answer = make_answer(request, scenario, limit, body.get("n") or 1,
                         "reasoning_effort" in body)
    head = {"id": request.identity("chatcmpl-"), "created": 1800000000,
            "model": body.get("model", "")}
    finish = "length" if answer.limited else "stop"
    tells = scenario.usage == "sent"
    if body.get("stream"):
        return answer, stream(body, head, answer, scenario, finish, tells)
    whole = head | {
        "object": "chat.completion",
        "choices": [{"index": i, "finish_reason": finish, "logprobs": None,
                     "message": {"role": "assistant", "content": answer.text}}
                    for i in range(answer.choices)],
    }
    if tells:
        whole["usage"] = usage_members(answer.usage)
    return answer, reply.json_reply(whole, answer, scenario)


def stream(body, head, answer, scenario, finish, tells):
    events = reply.EventStream(scenario)
    head = head | {"object": "chat.completion.chunk"}
    asked = bool((body.get("stream_options") or {}).get("include_usage")) and tells

    def chunk(choices, tokens=0, usage=None):
        members = head | {"choices": choices}
        if asked:
            members["usage"] = usage
        events.add(members, tokens=tokens, tells_usage=usage is not None)

    for index in range(answer.choices):
        chunk([choice(index, {"role": "assistant", "content": ""})])
    for text, tokens in reply.pieces(answer, scenario):
        for index in range(answer.choices):
            chunk([choice(index, {"content": text})], tokens)
    for index in range(answer.choices):
        chunk([choice(index, {}, finish)])
    if asked:
        chunk([], usage=usage_members(answer.usage))
    events.add("[DONE]")
    return events.reply()


def choice(index, delta, finish=None):
    return {"index": index, "delta": delta, "finish_reason": finish}


def embeddings(request, scenario):
    body = request.json
    given = body.get("input", "")
    inputs = given if isinstance(given, list) else [given]
    counted = text_tokens(inputs)
    if inputs and all(isinstance(each, int) for each in inputs):
        counted, inputs = len(inputs), [inputs]
    prompt = scenario.input_tokens or max(1, counted)
    answer = Answer([], Usage(prompt=prompt), False)
    vectors = [{"object": "embedding", "index": i, "embedding": [0.25, -0.5, 0.75]}
               for i in range(len(inputs))]
    return answer, reply.json_reply(
        {"object": "list", "data": vectors, "model": body.get("model", ""),
         "usage": {"prompt_tokens": prompt, "total_tokens": prompt}}, answer, scenario)


def models(request, scenario):
    entries = [{"id": name, "object": "model", "created": 1800000000,
                "owned_by": "mock"} for name in ("gpt-mock-large", "gpt-mock-small")]
    return None, reply.json_reply({"object": "list", "data": entries})


def error(status, scenario):
    kinds = {401: "invalid_request_error", 429: "rate_limit_exceeded",
             400: "invalid_request_error", 404: "invalid_request_error"}
    kind = scenario.error_type or kinds.get(status, "server_error")
    return {"error": {"message": scenario.message, "type": kind, "param": None,
                      "code": kind}}
