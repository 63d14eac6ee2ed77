"""Google Gemini: generateContent, streamGenerateContent (SSE, or a JSON array without
alt=sse), countTokens and models."""

import reply
from counting import make_answer, prompt_tokens

DIALECT = "gemini"


def usage_members(usage, completion):
    reasoning = min(usage.reasoning, completion)
    return {
        "promptTokenCount": usage.prompt,
        "candidatesTokenCount": completion - reasoning,
        "thoughtsTokenCount": reasoning,
        "cachedContentTokenCount": usage.cached,
        "totalTokenCount": usage.prompt + completion,
    }


def answer_to(request, scenario):
    config = request.json.get("generationConfig") or {}
    return make_answer(request, scenario, config.get("maxOutputTokens"),
                       config.get("candidateCount") or 1, "thinkingConfig" in config)


def chunk(request, text, answer, finish=None):
    candidates = []
    for index in range(answer.choices):
        candidate = {"index": index,
                     "content": {"role": "model", "parts": [{"text": text}]}}
        if finish:
            candidate["finishReason"] = finish
        candidates.append(candidate)
    return {"candidates": candidates, "modelVersion": request.model,
            "responseId": request.identity("")}


def generate(request, scenario):
    answer = answer_to(request, scenario)
    finish = "MAX_TOKENS" if answer.limited else "STOP"
    whole = chunk(request, answer.text, answer, finish)
    if scenario.usage == "sent":
        whole["usageMetadata"] = usage_members(answer.usage, answer.usage.completion)
    return answer, reply.json_reply(whole, answer, scenario)


def stream(request, scenario):
    answer = answer_to(request, scenario)
    finish = "MAX_TOKENS" if answer.limited else "STOP"
    chunks = []
    said = 0
    for text, tokens in reply.pieces(answer, scenario):
        said += tokens * answer.choices
        members = chunk(request, text, answer)
        if scenario.usage == "sent":
            members["usageMetadata"] = usage_members(answer.usage, said)
        chunks.append((members, tokens * answer.choices))
    last = chunk(request, "", answer, finish)
    if scenario.usage == "sent":
        last["usageMetadata"] = usage_members(answer.usage, answer.usage.completion)
    chunks.append((last, 0))
    if request.query.get("alt") == ["sse"]:
        events = reply.EventStream(scenario)
        for members, tokens in chunks:
            events.add(members, tokens=tokens, tells_usage=members is last)
        return answer, events.reply()
    return answer, array_of(chunks)


def array_of(chunks):
    parts = [reply.Part(("[" if i == 0 else ",\r\n").encode()
                        + reply.compact(members).encode(), tokens,
                        i == len(chunks) - 1)
             for i, (members, tokens) in enumerate(chunks)]
    return reply.Reply(parts + [reply.Part(b"]")], streamed=True)


def count(request, scenario):
    whole = request.json.get("generateContentRequest")
    if whole is not None and "contents" in request.json:
        raise ValueError("contents and generateContentRequest are mutually exclusive")
    if whole is not None and whole.get("model") != f"models/{request.model}":
        raise ValueError("generateContentRequest.model: expected the model of the path")
    return None, reply.json_reply({"totalTokens": prompt_tokens(whole or request.json)})


def models(request, scenario):
    entries = [{"name": f"models/{name}", "displayName": name,
                "supportedGenerationMethods": ["generateContent"]}
               for name in ("gemini-mock-large", "gemini-mock-small")]
    return None, reply.json_reply({"models": entries})


def error(status, scenario):
    kinds = {400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED",
             404: "NOT_FOUND", 429: "RESOURCE_EXHAUSTED", 503: "UNAVAILABLE"}
    kind = scenario.error_type or kinds.get(status, "INTERNAL")
    return {"error": {"code": status, "message": scenario.message, "status": kind}}
