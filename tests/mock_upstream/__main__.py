"""A mock LLM upstream on loopback: python3 tests/mock_upstream [options].

Speaks Anthropic, OpenAI and Gemini, counts tokens deterministically, misbehaves on request
(scenario.py) and keeps a record of what it served (served.py). It prints its port, and
ends with its parent.
"""

import argparse
import asyncio
import ctypes
import json
import os
import signal
import sys

from scenario import ScenarioBook
from script import load_script
from served import Served
from server import Server


def parse_arguments():
    parser = argparse.ArgumentParser(prog="mock_upstream", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0: any free one")
    parser.add_argument("--port-file", help="written, whole at once, when it listens")
    parser.add_argument("--log", help="a JSON line for each request served")
    parser.add_argument("--scenario", type=json.loads, default={},
                        help='JSON: {"default": {...}, "queue": [...]}')
    parser.add_argument("--script", help="recorded answers (script.py)")
    parser.add_argument("--outlive-parent", action="store_true",
                        help="go on when the process that started this ends")
    return parser.parse_args()


def end_with_parent():
    parent = os.getppid()
    set_parent_death_signal = 1
    ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit(0)


def write_port_file(path, port):
    temporary = f"{path}.new"
    with open(temporary, "w", encoding="ascii") as file:
        file.write(f"{port}\n")
    os.rename(temporary, path)


async def serve(arguments):
    book = ScenarioBook()
    book.change(arguments.scenario)
    if arguments.script:
        book.script = load_script(arguments.script)
    server = Server(book, Served(arguments.log))
    listener = await server.start("127.0.0.1", arguments.port)
    port = listener.sockets[0].getsockname()[1]
    if arguments.port_file:
        write_port_file(arguments.port_file, port)
    print(port, flush=True)
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await stop.wait()
    listener.close()


def main():
    arguments = parse_arguments()
    if not arguments.outlive_parent:
        end_with_parent()
    try:
        asyncio.run(serve(arguments))
    except (OSError, ValueError) as error:
        sys.exit(f"mock_upstream: {error}")


if __name__ == "__main__":
    main()
