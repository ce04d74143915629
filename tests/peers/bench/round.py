"""One round: a new store, the processes of a system, a run of some seconds, and the count.

The processes of a system follow one protocol. Their environment says what to do (`PEER_MODE`, `PEER_ROLE`, `PEER_N`,
`PEER_URL`, ...). Each prints `ready` when it has done what comes before the run, then reads the line
`window FROM UNTIL`, with both in milliseconds since 1970, and ends at the line `stop`. Lines before `ready` that begin
with `note: ` are printed. Before it ends it writes the calls of its handlers to `calls-PID.csv` in `PEER_OUT`:
schedule, due, start; the due instant is in milliseconds, or the id of the task if the system's schedules have no
instants. The answer to the start with number N is a line with the schedule -1 and N instead of the due instant.
"""

import os
import select
import shutil
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import count
from usage import Usage

# Saving thousands of schedules takes a while with some systems.
READY = 240.0
ENDED = 60.0


class RoundFailed(Exception):
    """A process of the system that ended or did not answer."""


@dataclass
class Outcome:
    """What a round has shown."""

    mode: str
    number: int
    counted: count.Counted
    shares: dict = field(default_factory=dict)
    seconds: float = 0.0
    # Starts only: how many were answered, and run, by the end of the run.
    answered: int = 0
    ran: int = 0

    @property
    def holds(self):
        return self.counted.holds

    def to_json(self):
        late = self.counted.late_ms
        return {
            "mode": self.mode,
            "number": self.number,
            "seconds": self.seconds,
            "holds": self.holds,
            "wanted": self.counted.wanted,
            "called": self.counted.called,
            "called_distinct": self.counted.called_distinct,
            "recorded": self.counted.recorded,
            "recorded_distinct": self.counted.recorded_distinct,
            "late_p50_ms": count.percentile(late, 0.5),
            "late_p99_ms": count.percentile(late, 0.99),
            "answered": self.answered,
            "ran": self.ran,
            "shares": self.shares,
        }

    def __str__(self):
        verdict = "holds" if self.holds else "does not hold"
        what = {"every": "fires per second", "due": "due at the same instant", "starts": "callers"}[self.mode]
        text = f"  {self.number} {what} for {self.seconds:g} s: {verdict}; {self.counted}"
        if self.mode == "starts":
            answered, ran = self.answered / self.seconds, self.ran / self.seconds
            text = f"  starts by {self.number} callers for {self.seconds:g} s: {answered:.0f} answered and {ran:.0f} run per "
            text += f"second; {self.counted} by 2 s after the end"
        if self.counted.late_ms and self.mode != "starts":
            p50, p99 = (count.percentile(self.counted.late_ms, share) for share in (0.5, 0.99))
            text += f"; late p50 {p50:.0f} ms, p99 {p99:.0f} ms"
        shares = ", ".join(f"{name} {share:.2f}" for name, share in self.shares.items())
        return f"{text}\n    of a core: {shares}"


class Processes:
    """The processes of a system during a round."""

    def __init__(self, commands, out):
        self.out, self.running = out, []
        try:
            for command, environment in commands:
                errors = open(out / f"errors-{len(self.running)}", "wb")
                whole = {**os.environ, **environment, "PEER_OUT": str(out), "TZ": "UTC"}
                process = subprocess.Popen(
                    command, env=whole, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, cwd=out,
                    start_new_session=True,
                )
                errors.close()
                self.running.append(process)
        except BaseException:
            self.kill()
            raise

    def said(self):
        """What the processes wrote to their error outputs."""
        return "\n".join(path.read_text(errors="replace")[-2_000:] for path in sorted(self.out.glob("errors-*")))

    def wait_until_ready(self):
        until = time.monotonic() + READY
        for process in self.running:
            buffer = b""
            while b"ready\n" not in buffer:
                readable, _, _ = select.select([process.stdout], [], [], max(0.0, until - time.monotonic()))
                read = os.read(process.stdout.fileno(), 65_536) if readable else b""
                if not read:
                    raise RoundFailed(f"{process.args} did not become ready:\n{self.said()}")
                buffer += read
            for line in buffer.decode(errors="replace").splitlines():
                if line.startswith("note: "):
                    print(f"  {line[6:]}", flush=True)

    def tell(self, line):
        for process in self.running:
            try:
                process.stdin.write(line.encode() + b"\n")
                process.stdin.flush()
            except BrokenPipeError as error:
                raise RoundFailed(f"{process.args} ended early:\n{self.said()}") from error

    def stop(self):
        self.tell("stop")
        until = time.monotonic() + ENDED
        for process in self.running:
            try:
                status = process.wait(max(0.1, until - time.monotonic()))
            except subprocess.TimeoutExpired as error:
                raise RoundFailed(f"{process.args} does not end:\n{self.said()}") from error
            if status != 0:
                raise RoundFailed(f"{process.args} failed with status {status}:\n{self.said()}")

    def kill(self):
        for process in self.running:
            try:
                # With what it has started, also if it has ended itself.
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            process.wait()


def calls_of(out):
    """What the handlers noted."""
    files = sorted(out.glob("calls-*.csv"))
    if not files:
        raise RoundFailed("no process has written the calls of its handlers")
    lines = [line.split(",") for path in files for line in path.read_text().splitlines()]
    return [(int(schedule), due, float(start)) for schedule, due, start in lines]


def run(system, mode, number, seconds, lose):
    """Runs one round and counts."""
    out = Path(tempfile.mkdtemp(prefix="fastjob-peers-out-"))
    every_ms = 5_000 if mode == "due" else 1_000
    try:
        with system.store() as store:
            processes = Processes(system.commands(store, mode, number, lose), out)
            try:
                return _measure(system, store, processes, mode, number, seconds, every_ms, out)
            finally:
                processes.kill()
    finally:
        shutil.rmtree(out, ignore_errors=True)


def _measure(system, store, processes, mode, number, seconds, every_ms, out):
    processes.wait_until_ready()
    # Schedules fire for at least 2 s before the run.
    start = (int(time.time()) + 4) * 1_000
    if mode == "due":
        start = start // 5_000 * 5_000 + 4_000
        start += 5_000 if start < (time.time() + 3) * 1_000 else 0
    until = start + seconds * 1_000
    processes.tell(f"window {start} {until}")
    _sleep_until(start)
    usage = Usage(system=[process.pid for process in processes.running], store=[store.process.pid])
    _sleep_until(until)
    shares = usage.shares()
    _sleep_until(until + count.BOUND_MS)
    # Systems that were overloaded are still busy with their backlog; the count is bounded by time, so that they may end
    # before it.
    processes.stop()
    records = system.records(store, out)
    calls = calls_of(out)
    if mode == "starts":
        counted = _starts(calls, records, start, until + count.BOUND_MS, until)
        # A run counts as soon as it is recorded, if the system records it.
        ran = _starts(calls, records, start, until, until)
        ran = ran.called_distinct if ran.recorded is None else ran.recorded_distinct
        return Outcome(mode, number, counted, shares, seconds, counted.wanted, ran)
    elif system.has_instants or mode == "due":
        calls = [(schedule, int(due), at) for schedule, due, at in calls]
        counted = count.of_instants(number, start, until, every_ms, calls, records)
    else:
        counted = count.of_intervals(number, start, until, every_ms, calls, records)
    return Outcome(mode, number, counted, shares, seconds)


def _starts(calls, records, start, bound, until):
    """Counts starts: those that were answered in the run are wanted, and noted with schedule -1."""
    asked = {due for schedule, due, at in calls if schedule == -1 and start <= at < until}
    ran = [due for schedule, due, at in calls if schedule != -1 and due in asked and at <= bound]
    counted = count.Counted(len(asked), len(ran), len(set(ran)))
    if records is not None:
        kept = [str(due) for _, due, end in records if str(due) in asked and end <= bound]
        counted.recorded, counted.recorded_distinct = len(kept), len(set(kept))
    return counted


def _sleep_until(ms):
    time.sleep(max(0.0, ms / 1_000 - time.time()))
