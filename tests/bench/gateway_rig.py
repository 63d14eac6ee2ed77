"""A provider that costs next to nothing, ap-gate in front of it, and an attempt's key."""

import json
import os
import sqlite3
from contextlib import closing

from measure import create_run, run, tool
from web import Process, resident_mib, wait_until

CAP = 10**12  # the most that can be said
MODEL = "gpt-4o-mini"
# Tells its capability key and lives until it is told to end.
PHASE = "echo $OPENAI_API_KEY > k; mv k key; while [ ! -e end ]; do sleep 0.05; done"

ANSWER = {
    "id": "chatcmpl-bench", "object": "chat.completion", "created": 1764000000, "model": MODEL,
    "choices": [
        {
            "index": 0, "finish_reason": "stop", "logprobs": None,
            "message": {"role": "assistant", "content": "The quick brown fox. " * 20},
        }
    ],
    "usage": {"prompt_tokens": 90, "completion_tokens": 101, "total_tokens": 191},
}
REQUEST = {
    "model": MODEL, "max_tokens": 256,
    "messages": [
        {"role": "system", "content": "You are a careful engineer."},
        {"role": "user", "content": "Say what is wrong with this function. " * 10},
    ],
}


def has_content(path):
    return os.path.exists(path) and os.path.getsize(path) > 0


class Gate(Process):
    """ap-gate in `directory` before the provider at `upstream`, and a run with one attempt
    under way, whose key is `key`."""

    def __init__(self, directory, upstream):
        self.directory = directory
        with open(self.path("key-file"), "w", encoding="utf-8") as file:
            file.write("sk-bench\n")
        with open(self.path("ap-gate.conf"), "w", encoding="utf-8") as file:
            provider = {"name": "mock", "family": "openai", "base_url": upstream}
            provider["key_file"] = "key-file"
            prices = os.path.join(os.path.dirname(__file__), "../../contrib/prices.json")
            settings = {"listen": {"tcp": {"port": 0}}, "drain": "2s", "providers": [provider]}
            settings |= json.loads(os.environ.get("AP_BENCH_GATE", "{}"))
            json.dump({**settings, "prices": os.path.abspath(prices)}, file)
        phase = {"command": ["sh", "-c", PHASE], "token_cap": CAP}
        create_run(directory, "r", [phase], token_cap=CAP)
        super().__init__(tool("ap-gate"), cwd=directory)
        gate_file = self.path(".autonomous_runs/gate.json")
        wait_until("ap-gate", self.process, lambda: has_content(gate_file))
        with open(gate_file, encoding="utf-8") as file:
            self.url = json.load(file)["url"]
        self.executor = Process(tool("ap-exec"), "--quiet", "--run-id", "r", cwd=directory)
        wait_until("key", self.executor.process, lambda: has_content(self.path("key")))
        with open(self.path("key"), encoding="ascii") as file:
            self.key = file.read().strip()

    def path(self, name):
        return os.path.join(self.directory, name)

    def __exit__(self, *error):
        with open(self.path("end"), "w", encoding="ascii"):
            pass
        self.executor.process.wait()
        super().__exit__(*error)

    def peak_mib(self):
        return resident_mib(self.process.pid, "VmHWM")

    def status(self):
        return json.loads(run("curl", "-s", self.url + "/status"))

    def recorded(self):
        """Calls in the database, of which exactly known, and tokens of these."""
        wait_until("record", self.process, lambda: self.status()["unwritten"] == 0)
        with closing(sqlite3.connect(self.path("autopack.db"))) as database:
            return database.execute(
                "SELECT count(*), count(*) FILTER (WHERE NOT estimated), "
                "coalesce(sum(prompt_tokens + completion_tokens) FILTER (WHERE NOT estimated), 0) "
                "FROM llm_usage_events"
            ).fetchone()
