"""Celery on Redis: beat with N entries that fire every second, and workers that record results.

The worker and beat are started by `celery_peer.py` from this module. The result of a task is the time when it began,
so the store says what ran and when.
"""

import os
import time

from celery import Celery

app = Celery("peers", broker=os.environ["PEER_URL"], backend=os.environ["PEER_URL"])
app.conf.update(
    timezone="UTC",
    # As its documentation recommends for many short tasks.
    worker_prefetch_multiplier=128,
    worker_hijack_root_logger=False,
    broker_connection_retry_on_startup=True,
    result_expires=3_600,
)
if os.environ["PEER_MODE"] == "every":
    app.conf.beat_schedule = {
        str(n): {"task": "noop", "schedule": 1.0, "args": [n, None]} for n in range(int(os.environ["PEER_N"]))
    }


class Lost(Exception):
    """The fire that has to be missed if the count works."""


def lose(schedule):
    """Whether this is the first call of schedule 0 in the run, and one has to get lost."""
    if os.environ.get("PEER_LOSE") != "1" or schedule != 0:
        return False
    try:
        with open(os.path.join(os.environ["PEER_OUT"], "window")) as file:
            start = int(file.read())
    except FileNotFoundError:
        return False
    if time.time() * 1_000 < start:
        return False
    try:
        os.close(os.open(os.path.join(os.environ["PEER_OUT"], "lost"), os.O_CREAT | os.O_EXCL))
        return True
    except FileExistsError:
        return False


@app.task(name="noop")
def noop(schedule, due):
    started = time.time() * 1_000
    if lose(schedule):
        # The message says what was called: the store has no result of a task that failed.
        raise Lost(schedule, due, started)
    return [schedule, due, started]
