"""The record of what was served, to the token."""

import json
import time


class Served:
    """One entry a request, in memory and, a JSON line each, in a file."""

    def __init__(self, path=None):
        self._file = open(path, "a", buffering=1, encoding="utf-8") if path else None
        self._entries = []
        self.started = 0
        self.in_flight = 0
        self.most_in_flight = 0

    def begin(self):
        self.started += 1
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        return time.monotonic()

    def end(self, begun, request, dialect, answer, delivery, status, outcome):
        """Writes down a request that came to its end. `outcome` is complete, cut or
        client_gone; `completion_sent` are the tokens that left before that."""
        self.in_flight -= 1
        entry = {
            "number": request.number, "method": request.method, "path": request.target,
            "dialect": dialect, "status": status, "outcome": outcome, "key": request.key,
            "request_id": request.identity("req_"),
            "duration_ms": round((time.monotonic() - begun) * 1000),
            "at_ms": round(time.time() * 1000),
        }
        if answer is not None and status == 200:
            usage = answer.usage
            entry |= {
                "model": request.model, "stream": bool(request.json.get("stream")),
                "prompt_tokens": usage.prompt, "completion_tokens": usage.completion,
                "cached_tokens": usage.cached, "cache_write_tokens": usage.cache_write,
                "reasoning_tokens": usage.reasoning,
                "completion_sent": delivery.tokens_sent,
                "usage_sent": delivery.usage_sent,
            }
        self._entries.append(entry)
        if self._file:
            self._file.write(json.dumps(entry) + "\n")

    def lines(self):
        return "".join(json.dumps(entry) + "\n" for entry in self._entries)

    def totals(self):
        """Sums over the calls that were answered."""
        answered = [each for each in self._entries if "prompt_tokens" in each]
        names = ("prompt_tokens", "completion_tokens", "cached_tokens",
                 "cache_write_tokens", "reasoning_tokens", "completion_sent")
        return {
            "requests": self.started, "answered": len(answered),
            "complete": sum(each["outcome"] == "complete" for each in answered),
            "in_flight": self.in_flight, "most_in_flight": self.most_in_flight,
        } | {name: sum(each[name] for each in answered) for name in names}

    def reset(self):
        self._entries.clear()
        self.started = 0
        self.most_in_flight = self.in_flight
