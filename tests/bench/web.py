"""Web servers and load for benchmarks: nginx with a given configuration, wrk, and clients
that follow events and attack."""

import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
from contextlib import closing

from measure import built, run

NGINX = """user root; worker_processes 1; pid {directory}/pid; daemon off;
error_log {directory}/error.log; events {{ worker_connections 8192; }}
http {{ access_log off; sendfile on; tcp_nodelay on; keepalive_requests 100000000;
client_body_temp_path {directory}/body; proxy_temp_path {directory}/proxy;
{http} }}"""

# Written by wrk when it is done, on one line of its own; times in ms.
REPORT = """
done = function(summary, latency, requests)
    local errors = summary.errors
    io.write(string.format(
        '{"requests": %d, "seconds": %.6f, "p50": %.4f, "p99": %.4f, "errors": %d}\\n',
        summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3,
        latency:percentile(99) / 1e3, errors.connect + errors.read + errors.write +
        errors.status + errors.timeout))
end
"""


def free_port():
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(what, process, condition):
    """Waits until `condition` gives something, and returns it; `process` is to give it."""
    deadline = time.monotonic() + 20
    while not (found := condition()):
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"{what} did not come")
        time.sleep(0.02)
    return found


def takes_connections(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return [int(child) for child in file.read().split()]


def resident_mib(pid, field="VmRSS"):
    """What a process holds now, or with VmHWM held at most."""
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        for line in status:
            if line.startswith(field + ":"):
                return int(line.split()[1]) / 1024
    raise RuntimeError(f"process {pid} has no {field}")


class Hostile:
    """The clients, or a process that works as much, from the start to the end of a block.
    `processor`: the time they took, in us a second."""

    def __init__(self, port, *options):
        self.command = [built("AP_HOSTILE_CLIENTS"), *options, str(port)]
        self.processor = 0
        self.counts = {}

    def __enter__(self):
        self.process = subprocess.Popen(
            self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        if self.process.stdout.readline() != "under way\n":
            raise RuntimeError("no hostile clients")
        return self

    def __exit__(self, *_):
        said, _ = self.process.communicate()
        said = json.loads(said)
        self.processor = said["processor"]
        self.counts = said["counts"]


class Process:
    """A server that is asked to end when it is no longer needed."""

    def __init__(self, *command, **options):
        self.process = subprocess.Popen(command, **options)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()


class Nginx(Process):
    """nginx with one worker. `http`: what stands in its http block, where PORT is the port
    it is given and DIRECTORY its own."""

    def __init__(self, directory, http):
        nginx = shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin")
        self.port = free_port()
        http = http.replace("PORT", str(self.port)).replace("DIRECTORY", directory)
        settings = os.path.join(directory, "nginx.conf")
        with open(settings, "w", encoding="utf-8") as file:
            file.write(NGINX.format(directory=directory, http=http))
        super().__init__(nginx, "-c", settings)
        wait_until("nginx", self.process, lambda: takes_connections(self.port))
        self.worker = wait_until("worker", self.process, lambda: children(self.process.pid))[0]


class Load:
    """What wrk is to ask, with one thread. `headers` and a POST's `body` are optional."""

    def __init__(self, directory, url, headers=None, body=None):
        self.url = url
        file, self.script = tempfile.mkstemp(".lua", dir=directory)
        with os.fdopen(file, "w", encoding="utf-8") as script:
            if body is not None:
                script.write(f'wrk.method = "POST"\nwrk.body = {json.dumps(body)}\n')
            for name, value in (headers or {}).items():
                script.write(f"wrk.headers[{json.dumps(name)}] = {json.dumps(value)}\n")
            script.write(REPORT)

    def run(self, connections, seconds):
        """wrk's report: requests, seconds, p50, p99 and errors."""
        output = run("wrk", "-t1", f"-c{connections}", f"-d{seconds}", "-s", self.script, self.url)
        return json.loads(output.decode().splitlines()[-1])
