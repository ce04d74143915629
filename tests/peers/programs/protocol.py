"""The protocol of a round for the programs in Python; see `bench/round.py`."""

import os
import sys
import threading
import time

MODE = os.environ["PEER_MODE"]
ROLE = os.environ.get("PEER_ROLE", "")
N = int(os.environ["PEER_N"])
URL = os.environ["PEER_URL"]
LOSE = os.environ.get("PEER_LOSE") == "1"

CALLS = []
_lost = threading.Event()
_window = None


def now_ms():
    return time.time() * 1_000


class Lost(Exception):
    """The fire that has to be missed if the count works."""


def called(schedule, due):
    """Notes a call of a handler. Fails once in a run if a fire has to get lost."""
    started = now_ms()
    if LOSE and schedule == 0 and _window and _window[0] <= started and not _lost.is_set():
        _lost.set()
        raise Lost("one fire has to get lost")
    CALLS.append((schedule, due, started))


def ready():
    """Says that the run can begin, and returns its bounds."""
    global _window
    print("ready", flush=True)
    _, start, until = sys.stdin.readline().split()
    _window = (int(start), int(until))
    return _window


def wait_for_stop():
    line = sys.stdin.readline()
    if line != "stop\n":
        raise SystemExit(f"unexpected: {line!r}")


def write_calls(calls=None):
    path = os.path.join(os.environ["PEER_OUT"], f"calls-{os.getpid()}.csv")
    with open(path, "w") as file:
        file.writelines(f"{schedule},{due},{start}\n" for schedule, due, start in calls or CALLS)
