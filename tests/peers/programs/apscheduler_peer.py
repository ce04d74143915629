"""APScheduler 3 with SQLAlchemyJobStore: N jobs with a cron trigger, a thread pool, and a handler that does nothing.

The instant of a fire comes from APScheduler's event; the handler does not get it.
"""

import collections
import time
from datetime import datetime, timedelta, timezone

from apscheduler.events import EVENT_JOB_EXECUTED
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.cron import CronTrigger

import protocol

SAVED_PER_SECOND = 300
starts = collections.defaultdict(list)
fires = collections.defaultdict(list)


def handler(schedule):
    # `called` raises if this fire has to get lost; then there is no event either.
    protocol.called(schedule, 0)
    starts[schedule].append(protocol.now_ms())


def executed(event):
    fires[int(event.job_id)].append(event.scheduled_run_time.timestamp() * 1_000)


def main():
    scheduler = BackgroundScheduler(
        jobstores={"default": SQLAlchemyJobStore(url=protocol.URL)},
        executors={"default": ThreadPoolExecutor(20)},
        # A late fire runs, and none is merged with another.
        job_defaults={"coalesce": False, "misfire_grace_time": 60, "max_instances": 10},
        timezone=timezone.utc,
    )
    scheduler.add_listener(executed, EVENT_JOB_EXECUTED)
    scheduler.start(paused=True)
    every = "*/5" if protocol.MODE == "due" else "*"
    start = datetime.now(timezone.utc) + timedelta(seconds=2 + protocol.N / SAVED_PER_SECOND)
    for n in range(protocol.N):
        trigger = CronTrigger(second=every, start_date=start, timezone=timezone.utc)
        scheduler.add_job(handler, trigger, args=[n], id=str(n))
    late = (datetime.now(timezone.utc) - start).total_seconds()
    if late > 0:
        print(f"note: saving took {late:.1f} s longer than expected; the run begins with a backlog", flush=True)
    scheduler.resume()
    time.sleep(max(0.0, -late))
    protocol.ready()
    protocol.wait_for_stop()
    # Calls of one job are in the order of its fires.
    calls = [
        (schedule, int(due), start)
        for schedule, dues in list(fires.items())
        for due, start in zip(sorted(dues), sorted(starts[schedule]))
    ]
    protocol.write_calls(calls)


if __name__ == "__main__":
    main()
    # Without waiting for a backlog, which does not count.
    import os

    os._exit(0)
