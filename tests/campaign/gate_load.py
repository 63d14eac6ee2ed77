"""Callers at a budget that is nearly spent: through ap-gate, at the mock of its providers,
with clients that leave and a gateway that is killed. What the mock served is the truth
that the books are held against.
"""

import collections
import hashlib
import http.client
import json
import os
import random
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing

SOURCE = os.environ["AP_SOURCE"]
MOCK = os.path.join(SOURCE, "tests/mock_upstream")
sys.path.insert(0, MOCK)
from counting import prompt_tokens  # noqa: E402

KEY = "apk-" + "k" * 43
PATHS = {"anthropic": "/v1/messages", "openai": "/v1/chat/completions"}
MODELS = {"anthropic": "claude-mock", "openai": "gpt-mock"}
PATIENCE = 60  # seconds


def wait_until(what, condition):
    deadline = time.monotonic() + PATIENCE
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise RuntimeError(f"{what} did not come")
        time.sleep(0.01)
    return found


class Call:
    """One call: what it asks for, what it is worth, and what became of it."""

    def __init__(self, chance, family, streamed, limited, leaves):
        words = " ".join(f"word{chance.randrange(1000)}" for _ in range(chance.randint(100, 1000)))
        output = chance.randint(50, 500)
        body = {"model": MODELS[family], "messages": [{"role": "user", "content": words}]}
        if limited:
            body["max_tokens"] = output + chance.randint(0, 1000)
        if streamed:
            body["stream"] = True
        self.body = json.dumps(body)
        self.usage = prompt_tokens(body) + output
        self.scenario = {"output_tokens": output}
        self.scenario |= {"drip_ms": 1} if streamed else {"stall_before_ms": chance.randint(0, 20)}
        self.leaves = leaves
        self.outcome = "not made"  # then: answered, refused, left, lost, or the status
        self.at = 0.0  # when that was known

    def make(self, gate):
        try:
            self.outcome = self.ask(gate)
        except (OSError, http.client.HTTPException):
            self.outcome = "lost"
        self.at = time.time()

    def ask(self, gate):
        host, port = gate.address()
        with closing(http.client.HTTPConnection(host, port, timeout=PATIENCE)) as connection:
            connection.request("POST", PATHS[gate.family], self.body, {
                "x-api-key": KEY, "content-type": "application/json",
                "anthropic-version": "2023-06-01", "x-mock-scenario": json.dumps(self.scenario),
            })  # fmt: skip
            response = connection.getresponse()
            if response.status == 200 and self.leaves:
                response.read1(64)
                return "left"
            response.read()
            if response.status == 200:
                return "answered"
            refusal = response.getheader("autopack-refusal")
            return "refused" if refusal == "budget" else str(response.status)


class Gate:
    """ap-gate in `directory`, which can be killed and started again, before a mock; and a
    run with an attempt under way that has `room` tokens left of a cap ten times as high."""

    def __init__(self, directory, tools, family, room, reconciles=False):
        self.directory = directory
        self.tools = tools
        self.family = family
        self.room = room
        self.cap = room * 10
        self.spent = self.cap - room
        self.reconciles = reconciles  # after a kill, as a person would, or "meanwhile"
        self.reconciled = set()  # numbers of the mock's entries that were told of
        self.before = 0  # calls that were made before the cap was so near
        self.mock = self.gate = None
        self.moving = threading.Event()  # set while callers may come
        self.highest = -self.cap  # of used + reserved beyond the cap, as ever seen

    def __enter__(self):
        self.mock = subprocess.Popen(
            [sys.executable, "-B", MOCK, "--port-file", "port", "--log", "served"],
            cwd=self.directory, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        port = wait_until("the mock", lambda: self.read("port")).strip()
        provider = {"name": "mock", "family": self.family, "base_url": f"http://127.0.0.1:{port}"}
        breaker = {"retry": {"attempts": 1}}
        config = {"listen": {"tcp": {"port": 0}}, "providers": [provider | breaker]}
        with open(self.path("ap-gate.conf"), "w", encoding="utf-8") as file:
            json.dump(config, file)
        self.make_run()
        self.let_in(self.start())
        return self

    def __exit__(self, *_):
        for process in (self.gate, self.mock):
            process.kill()
            process.wait()

    def path(self, name):
        return os.path.join(self.directory, name)

    def read(self, name):
        try:
            with open(self.path(name), encoding="utf-8") as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def run(self, name, *words, **options):
        command = [os.path.join(self.tools, name), *words]
        return subprocess.run(command, cwd=self.directory, check=True, stdout=subprocess.PIPE,
                              **options)  # fmt: skip

    def database(self):
        return closing(sqlite3.connect(self.path("autopack.db"), timeout=30, isolation_level=None))

    def make_run(self):
        plan = {"run_id": "r", "token_cap": self.cap, "phases": [
            {"id": "a", "command": ["true"], "token_cap": self.cap}]}  # fmt: skip
        self.run("ap-run", "create", "-", input=json.dumps(plan).encode())
        self.run("ap-budget", "report", "r", "--prompt-tokens", str(self.spent))
        # An attempt that no refusal ends: there is nobody to end it.
        key_hash = hashlib.blake2b(KEY.encode(), digest_size=32).hexdigest()
        with self.database() as database:
            database.executescript(f"""
                INSERT INTO executors (executor_id, run_id, pid, pid_started, boot_id, jobs,
                    started_at) VALUES (1, 'r', {os.getpid()}, 0, '', 1, 0);
                UPDATE phases SET status = 'EXECUTING', attempts_made = 1;
                INSERT INTO attempts (attempt_id, run_id, phase_id, number, executor_id, lease,
                    started_at) VALUES (1, 'r', 'a', 1, 1, 'l', 0);
                INSERT INTO capabilities (key_hash, attempt_id, created_at)
                    VALUES ('{key_hash}', 1, 0);""")

    def start(self):
        """Starts a gateway and returns its port, which no caller knows yet."""
        with open(self.path("gate.err"), "ab") as errors:
            self.gate = subprocess.Popen([os.path.join(self.tools, "ap-gate")], stderr=errors,
                                         cwd=self.directory)  # fmt: skip
        place = ".autonomous_runs/gate.json"
        wait_until("ap-gate", lambda: self.read(place).endswith("\n"))
        return int(json.loads(self.read(place))["url"].rpartition(":")[2])

    def let_in(self, port):
        self.port = port
        self.moving.set()

    def kill(self):
        """SIGKILL, whatever it is at, and the next one."""
        self.moving.clear()
        self.gate.kill()
        self.gate.wait()
        os.remove(self.path(".autonomous_runs/gate.json"))
        port = self.start()
        lines = self.corrections() if self.reconciles else []
        if self.reconciles == "meanwhile":
            self.let_in(port)
            self.reconcile(lines)
        else:
            self.reconcile(lines)
            self.let_in(port)

    def learn(self, calls):
        """Makes calls before the cap comes near, of which the next gateway knows."""
        make_calls(self, calls, 8, [])
        self.stop()
        with self.database() as database:
            self.before, self.spent = database.execute(
                "SELECT (SELECT count(*) FROM llm_usage_events WHERE source = 'gateway'), tokens_used "
                "FROM budgets WHERE phase_id = ''"
            ).fetchone()  # fmt: skip
        if self.before != len(calls):
            raise RuntimeError(f"of {len(calls)} calls {self.before} are in the books")
        self.cap = self.spent + self.room
        for phase in ([], ["a"]):
            self.run("ap-budget", "set", "r", *phase, "--tokens", str(self.cap))
        self.let_in(self.start())

    def corrections(self):
        """What the mock's record says of each call that was settled at an estimate. Of a
        call whose answer had not begun, nobody knows which it is in the record; those are
        what is in there and was neither counted nor told of before, in their order."""
        wait_until("the mock's record", lambda: served_all(self))
        served = [each for each in self.entries()
                  if each.get("prompt_tokens") and each["number"] not in self.reconciled]  # fmt: skip
        with self.database() as database:
            exact = collections.Counter(database.execute(
                "SELECT prompt_tokens, completion_tokens FROM llm_usage_events "
                "WHERE source = 'gateway' AND estimated = 0 "
                "AND usage_id NOT IN (SELECT usage_id FROM usage_reconciliations)").fetchall())  # fmt: skip
        estimates = [json.loads(line) for line in
                     self.run("ap-budget", "estimates", "r", "--json").stdout.splitlines()]  # fmt: skip
        named = {each["provider_request_id"] for each in estimates}
        by_name = {each["request_id"]: each for each in served if each["request_id"] in named}
        rest = []
        for each in served:
            figures = (each["prompt_tokens"], output_of(each))
            if each["request_id"] in by_name:
                continue
            if (each["outcome"] == "complete" or each["usage_sent"]) and exact[figures]:
                exact[figures] -= 1
            else:
                rest.append(each)
        lines = []
        for each in estimates:
            entry = by_name.get(each["provider_request_id"]) or (rest.pop(0) if rest else None)
            if entry:
                self.reconciled.add(entry["number"])
            lines.append({"call": each["call"],
                          "prompt_tokens": entry["prompt_tokens"] if entry else 0,
                          "completion_tokens": output_of(entry) if entry else 0})  # fmt: skip
        return lines

    def reconcile(self, lines):
        self.run("ap-budget", "reconcile", "r",
                 input="".join(json.dumps(line) + "\n" for line in lines).encode())  # fmt: skip

    def stop(self):
        self.gate.terminate()
        if self.gate.wait(PATIENCE) != 0:
            raise RuntimeError(f"ap-gate ended with {self.gate.returncode}: {self.read('gate.err')}")

    def address(self):
        self.moving.wait(PATIENCE)
        return "127.0.0.1", self.port

    def watch(self, until):
        """Looks all the time whether the cap holds."""
        with self.database() as database:
            while not until.is_set():
                self.highest = max(self.highest, *database.execute(
                    "SELECT max(tokens_used + tokens_reserved - token_cap) FROM budgets"
                ).fetchone())  # fmt: skip
                time.sleep(0.002)

    def entries(self):
        return [json.loads(line) for line in self.read("served").splitlines()]

    def served(self):
        """(When it began, tokens) of each call of the mock's that cost something."""
        calls = [each for each in self.entries() if each.get("prompt_tokens")][self.before:]
        return [((each["at_ms"] - each["duration_ms"]) / 1000, usage_of(each)) for each in calls]

    def recorded(self):
        """The same of each call in the books."""
        with self.database() as database:
            return database.execute(
                "SELECT (created_at - duration_ms) / 1000.0, prompt_tokens + completion_tokens "
                "FROM llm_usage_events WHERE source = 'gateway' ORDER BY usage_id"
            ).fetchall()[self.before:]


def output_of(served):
    """What a call said that was served, as far as that got."""
    return served["completion_tokens" if served["outcome"] == "complete" else "completion_sent"]


def usage_of(served):
    return served["prompt_tokens"] + output_of(served)


class Result:
    """What the books and the truth say at the end."""

    def __init__(self, gate, calls):
        with gate.database() as database:
            used, self.reserved = database.execute(
                "SELECT tokens_used, tokens_reserved FROM budgets WHERE phase_id = ''"
            ).fetchone()
        served, recorded = gate.served(), gate.recorded()
        truth = sum(tokens for _, tokens in served)
        self.calls = len(calls)
        self.overshoot = max(0, gate.spent + truth - gate.cap)
        self.beyond_cap = max(0, gate.highest, used + self.reserved - gate.cap)
        self.uncounted_calls = max(0, len(served) - len(recorded))
        self.uncounted_tokens = max(0, truth - sum(tokens for _, tokens in recorded))
        self.outcomes = collections.Counter(call.outcome for call in calls)
        refused = sorted((call.at, call.usage) for call in calls if call.outcome == "refused")
        self.refused = len(refused)
        self.false_refusals = false_refusals(gate, refused, served)
        self.false_by_books = false_refusals(gate, refused, recorded)
        self.miscounted_tokens = 0  # where all is reconciled

    def reconcile(self, gate):
        """Once the rest is reconciled, too, the books say what was served, to the token."""
        gate.reconcile(gate.corrections())
        served, recorded = (sum(tokens for _, tokens in calls)
                            for calls in (gate.served(), gate.recorded()))  # fmt: skip
        with gate.database() as database:
            used, = database.execute(
                "SELECT tokens_used FROM budgets WHERE phase_id = ''").fetchone()  # fmt: skip
        self.miscounted_tokens = abs(recorded - served) + abs(used - gate.spent - served)

    def faults(self, kills):
        """What must not be, by name."""
        known = {"answered", "refused", "left"} | ({"lost"} if kills else set())
        faults = {f"calls ended with {outcome!r}": count
                  for outcome, count in self.outcomes.items() if outcome not in known}  # fmt: skip
        for name in ("overshoot", "beyond_cap", "uncounted_calls", "uncounted_tokens",
                     "miscounted_tokens", "reserved"):  # fmt: skip
            faults[name] = getattr(self, name)
        return {name: value for name, value in faults.items() if value}


def false_refusals(gate, refused, used):
    """How many calls were refused although what they would have used would have fitted into
    what was left then: the cap, less `used`, what the calls used in the end that had begun,
    and less what those would have that were refused so before."""
    begun = sorted(used)
    left = gate.cap - gate.spent
    count = 0
    for at, usage in refused:
        while begun and begun[0][0] <= at:
            left -= begun.pop(0)[1]
        if usage <= left:
            left -= usage
            count += 1
    return count


def make_calls(gate, calls, callers, kills):
    """Makes the calls, `callers` at once, and kills the gateway after so many of each of
    `kills` were made."""
    todo = iter(calls)
    lock = threading.Lock()
    made = 0

    def work():
        nonlocal made
        while True:
            with lock:
                call = next(todo, None)
            if call is None:
                return
            call.make(gate)
            with lock:
                made += 1

    threads = [threading.Thread(target=work) for _ in range(callers)]
    for thread in threads:
        thread.start()
    for mark in sorted(kills):
        wait_until("calls", lambda: made >= mark)
        gate.kill()
    for thread in threads:
        thread.join()


def load(directory, tools, seed, family="anthropic", callers=16, streamed=True, limited=True,
         count=250, leaving=0.1, kills=1, reconciles=False, learned=0):  # fmt: skip
    """One round: calls that together use a quarter more than there is left. `streamed` and
    `limited` (with a max_tokens) may be None for some calls so and some so. Before, so many
    were made as `learned`, of which the gateway knows what the model makes of bytes."""
    chance = random.Random(seed)
    either = lambda given: chance.random() < 0.5 if given is None else given  # noqa: E731
    calls = [Call(chance, family, either(streamed), either(limited), chance.random() < leaving)
             for _ in range(count)]  # fmt: skip
    room = sum(call.usage for call in calls) * 4 // 5
    before = [Call(chance, family, either(streamed), either(limited), False) for _ in range(learned)]
    with Gate(directory, tools, family, room, reconciles) as gate:
        if before:
            gate.learn(before)
        done = threading.Event()
        watcher = threading.Thread(target=gate.watch, args=(done,))
        watcher.start()
        make_calls(gate, calls, callers, [chance.randrange(count * 3 // 5) for _ in range(kills)])
        gate.stop()
        wait_until("the mock's record", lambda: served_all(gate))
        done.set()
        watcher.join()
        result = Result(gate, calls)
        if reconciles:
            result.reconcile(gate)
        gate.run("ap-db", "check")
        return result


def served_all(gate):
    with closing(http.client.HTTPConnection("127.0.0.1", int(gate.read("port")))) as connection:
        connection.request("GET", "/mock/totals")
        return json.loads(connection.getresponse().read())["in_flight"] == 0
