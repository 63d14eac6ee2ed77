"""OpenAI: Responses and their token counting."""

import reply
from counting import make_answer, prompt_tokens

DIALECT = "openai-responses"


def usage_members(usage):
    return {
        "input_tokens": usage.prompt,
        "input_tokens_details": {"cached_tokens": usage.cached},
        "output_tokens": usage.completion,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": usage.prompt + usage.completion,
    }


def item_of(identity, text, status):
    content = [{"type": "output_text", "text": text, "annotations": []}]
    return {"id": identity, "type": "message", "role": "assistant", "status": status,
            "content": content if status == "completed" else []}


def responses(request, scenario):
    body = request.json
    answer = make_answer(request, scenario, body.get("max_output_tokens"),
                         reasons=bool(body.get("reasoning")))
    response = {
        "id": request.identity("resp_"), "object": "response", "created_at": 1800000000,
        "status": "in_progress", "model": body.get("model", ""), "output": [],
        "error": None, "incomplete_details": None, "usage": None,
    }
    item_id = request.identity("msg_")
    done = dict(response, status="incomplete" if answer.limited else "completed",
                output=[item_of(item_id, answer.text, "completed")])
    if answer.limited:
        done["incomplete_details"] = {"reason": "max_output_tokens"}
    if scenario.usage == "sent":
        done["usage"] = usage_members(answer.usage)
    if not body.get("stream"):
        return answer, reply.json_reply(done, answer, scenario)
    return answer, stream(response, done, item_id, answer, scenario)


COUNTED = {"model", "input", "instructions", "conversation", "previous_response_id", "tools",
           "text", "reasoning", "parallel_tool_calls", "truncation", "tool_choice"}


def input_tokens(request, scenario):
    if other := set(request.json) - COUNTED:
        raise ValueError(f"Unknown parameter: '{min(other)}'.")
    return None, reply.json_reply({"object": "response.input_tokens",
                                   "input_tokens": prompt_tokens(request.json)})


def stream(response, done, item_id, answer, scenario):
    events = reply.EventStream(scenario)
    sequence = iter(range(1 << 30))

    def add(kind, tokens=0, tells_usage=False, **members):
        data = {"type": kind, "sequence_number": next(sequence)} | members
        events.add(data, kind, tokens, tells_usage)

    place = {"item_id": item_id, "output_index": 0, "content_index": 0}
    empty = {"type": "output_text", "text": "", "annotations": []}
    add("response.created", response=response)
    add("response.in_progress", response=response)
    add("response.output_item.added", output_index=0,
        item=item_of(item_id, "", "in_progress"))
    add("response.content_part.added", part=empty, **place)
    for text, tokens in reply.pieces(answer, scenario):
        add("response.output_text.delta", tokens, delta=text, **place)
    add("response.output_text.done", text=answer.text, **place)
    add("response.content_part.done", part=empty | {"text": answer.text}, **place)
    add("response.output_item.done", output_index=0,
        item=item_of(item_id, answer.text, "completed"))
    add("response.incomplete" if answer.limited else "response.completed",
        tells_usage=scenario.usage == "sent", response=done)
    return events.reply()
