"""Procrastinate on PostgreSQL: N periodic tasks with a cron of seconds, or tasks that are deferred at once.

Its store has the outcome of every job. The process of role `worker` defers the periodic tasks and runs jobs, the one of
role `helper` runs jobs, and the one of role `caller` defers tasks for as many callers as there are.
"""

import asyncio
import logging
import os

import procrastinate

import protocol

CONCURRENCY = int(os.environ.get("PEER_CONCURRENCY", "50"))
app = procrastinate.App(
    connector=procrastinate.PsycopgConnector(conninfo=protocol.URL, min_size=4, max_size=20),
    periodic_defaults={"max_delay": 5},
)


@app.task(name="noop", pass_context=False)
async def noop(timestamp: int, schedule: int):
    protocol.called(schedule, timestamp * 1_000)


@app.task(name="start")
async def start(call: int):
    protocol.called(0, call)


async def stdin_line():
    loop = asyncio.get_running_loop()
    await loop.run_in_executor(None, protocol.wait_for_stop)


async def call_for(start_ms, until_ms):
    """Defers tasks from N callers, each after the other's answer, until the end of the run."""
    await asyncio.sleep(max(0.0, (start_ms - protocol.now_ms()) / 1_000))
    calls = []

    async def caller():
        while protocol.now_ms() < until_ms:
            number = len(calls)
            calls.append(None)
            # The first call has to be the one of schedule 0 that gets lost.
            await start.defer_async(call=number)
            calls[number] = (-1, number, protocol.now_ms())

    await asyncio.gather(*(caller() for _ in range(protocol.N)))
    protocol.CALLS.extend(calls)


async def main():
    async with app.open_async():
        if protocol.ROLE == "caller":
            window = await asyncio.get_running_loop().run_in_executor(None, protocol.ready)
            await call_for(*window)
            await stdin_line()
        else:
            if protocol.MODE != "starts" and protocol.ROLE == "worker":
                every = "*/5" if protocol.MODE == "due" else "*"
                for n in range(protocol.N):
                    # Six fields: the last one is that of seconds.
                    registered = app.periodic_registry.register_task(
                        task=noop, cron=f"* * * * * {every}", periodic_id=str(n),
                        configure_kwargs={"task_kwargs": {"schedule": n}},
                    )
                    assert registered is not None
            worker = asyncio.create_task(
                app.run_worker_async(concurrency=CONCURRENCY, install_signal_handlers=False, wait=True)
            )
            await asyncio.get_running_loop().run_in_executor(None, protocol.ready)
            stopped = asyncio.create_task(stdin_line())
            await asyncio.wait({worker, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if worker.done():
                worker.result()
        protocol.write_calls()
        os._exit(0)


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    asyncio.run(main())
