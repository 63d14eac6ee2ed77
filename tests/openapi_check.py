#!/usr/bin/env python3
"""Holds a running ap-serve against the document it serves: openapi_check.py SOCKET

Every GET of the document is asked with parameters that exist in the state (the run "tour"
of contrib/examples, its phase "write", the breaker "api"), and the answer must be of a
status and a form that the document names. Every other operation is asked for things that
do not exist and must answer with a problem.
"""

import http.client
import json
import socket
import sys

VALUES = {"run": "tour", "phase": "write", "breaker": "api", "number": "1", "log": "stdout",
          "approval": "1", "backup": "b.tar.zst"}


class UnixConnection(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(10)
        self.sock.connect(sys.argv[1])


def ask(method, path, body=None):
    connection = UnixConnection("localhost")
    connection.request(method, path, body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    kind = answer.getheader("Content-Type", "").split(";")[0]
    if kind == "text/event-stream":
        return answer.status, kind, ""
    return answer.status, kind, answer.read().decode(errors="replace")


NAMES = {
    "object": dict, "array": list, "string": str, "integer": int, "number": (int, float),
    "boolean": bool, "null": type(None),
}


def is_of(value, name):
    if isinstance(value, bool):
        return name == "boolean"
    return isinstance(value, NAMES[name])


def faults(schema, value, where, document):
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].split("/")[-1]]
    types = schema.get("type", list(NAMES))
    types = [types] if isinstance(types, str) else types
    if not any(is_of(value, name) for name in types):
        yield f"{where}: expected {types}, got {value!r}"
        return
    if "enum" in schema and value not in schema["enum"]:
        yield f"{where}: {value!r} is none of {schema['enum']}"
    if isinstance(value, dict):
        known = schema.get("properties", {})
        more = schema.get("additionalProperties", True)
        for name in schema.get("required", []):
            if name not in value:
                yield f"{where}: no member {name}"
        for name, member in value.items():
            if name in known:
                yield from faults(known[name], member, f"{where}.{name}", document)
            elif isinstance(more, dict):
                yield from faults(more, member, f"{where}.{name}", document)
            elif not more:
                yield f"{where}: member {name} is not in the document"
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from faults(schema.get("items", {}), item, f"{where}[{index}]", document)


def check(method, path, operation, document):
    exists = method == "get"
    for name, value in VALUES.items():
        path = path.replace("{" + name + "}", value if exists else "none-such")
    status, kind, text = ask(method.upper(), path, None if exists else "[")
    answers = operation["responses"]
    answer = answers.get(str(status), None if exists and status != 503 else answers["default"])
    where = f"{method} {path}: {status}"
    if answer is None:
        yield f"{where} is not in the document: {text[:200]}"
        return
    content = answer.get("content", {})
    if kind not in content:
        yield f"{where}: {kind} is not in the document"
    elif kind.endswith("json"):
        yield from faults(content[kind]["schema"], json.loads(text), where, document)
    if not exists and status < 400:
        yield f"{where}: expected a problem"


document = json.loads(ask("GET", "/api/openapi.json")[2])
assert document["openapi"].startswith("3.1")
found = []
count = 0
for path, operations in document["paths"].items():
    for method, operation in operations.items():
        count += 1
        found += check(method, path, operation, document)
for fault in found:
    print(fault, file=sys.stderr)
assert count > 30, count
sys.exit(1 if found else 0)
