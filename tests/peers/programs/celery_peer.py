"""Starts Celery's own worker and beat, sends tasks where a round needs them, and reads what was recorded."""

import json
import os
import signal
import subprocess
import sys
import threading
import time

import redis

import protocol
from celery_app import noop

CELERY = [sys.executable, "-m", "celery", "-A", "celery_app", "-q"]
QUIET = ["--without-gossip", "--without-mingle", "--without-heartbeat", "-l", "ERROR"]


def begin(*words):
    environment = {**os.environ, "PYTHONPATH": os.path.dirname(os.path.abspath(__file__))}
    return subprocess.Popen([*CELERY, *words], env=environment, stdin=subprocess.DEVNULL, stdout=sys.stderr)


def send_due(start_ms, until_ms):
    """N tasks for each instant of the run that is a multiple of 5 s."""
    for due in range(-(-start_ms // 5_000) * 5_000, until_ms, 5_000):
        for n in range(protocol.N):
            noop.apply_async(args=[n, due], eta=due_time(due))


def due_time(due):
    from datetime import datetime, timezone

    return datetime.fromtimestamp(due / 1_000, timezone.utc)


def call_for(start_ms, until_ms):
    """Sends tasks from N callers until the end of the run."""
    time.sleep(max(0.0, (start_ms - protocol.now_ms()) / 1_000))
    calls, lock, numbers = [], threading.Lock(), iter(range(10**9))

    def caller():
        while protocol.now_ms() < until_ms:
            with lock:
                number = next(numbers)
            noop.apply_async(args=[0, number])
            calls.append((-1, number, protocol.now_ms()))

    callers = [threading.Thread(target=caller) for _ in range(protocol.N)]
    for thread in callers:
        thread.start()
    for thread in callers:
        thread.join()
    protocol.CALLS.extend(calls)


def recorded():
    """The results in the store: (schedule, due or id, started, ended), which is None if the task failed."""
    store = redis.Redis.from_url(protocol.URL)
    keys = list(store.scan_iter("celery-task-meta-*", count=10_000))
    rows = []
    for at in range(0, len(keys), 5_000):
        for text in store.mget(keys[at : at + 5_000]):
            meta = json.loads(text)
            if meta["status"] == "SUCCESS":
                schedule, due, started = meta["result"]
                rows.append((schedule, meta["task_id"] if due is None else due, started, meta["date_done"]))
            else:
                schedule, due, started = meta["result"]["exc_message"]
                rows.append((schedule, meta["task_id"] if due is None else due, started, None))
    return rows


def main():
    out = os.environ["PEER_OUT"]
    worker = begin("worker", "-P", "prefork", "-c", os.environ.get("PEER_CONCURRENCY", "2"), *QUIET)
    running = [worker]
    if protocol.MODE == "every":
        running.append(begin("beat", "-s", os.path.join(out, "beat"), "-l", "ERROR"))
    try:
        # The worker answers once it takes tasks.
        noop.apply_async(args=[-2, 0]).get(timeout=60)
        start, until = protocol.ready()
        with open(os.path.join(out, "window.new"), "w") as file:
            file.write(str(start))
        os.rename(os.path.join(out, "window.new"), os.path.join(out, "window"))
        if protocol.MODE == "due":
            send_due(start, until)
        elif protocol.MODE == "starts":
            call_for(start, until)
        protocol.wait_for_stop()
        if any(process.poll() is not None for process in running):
            raise SystemExit("a process of Celery has ended early")
    finally:
        for process in running:
            # A cold shutdown: what has not run yet does not count.
            process.send_signal(signal.SIGQUIT)
        for process in running:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
    rows = [row for row in recorded() if row[0] >= 0]
    with open(os.path.join(out, "records.json"), "w") as file:
        json.dump([row for row in rows if row[3] is not None], file)
    protocol.CALLS.extend((schedule, due, started) for schedule, due, started, _ in rows)
    protocol.write_calls()


if __name__ == "__main__":
    main()
