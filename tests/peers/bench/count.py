"""Whether every fire happened exactly once, and how late.

Two witnesses are asked: the handler, which notes each call with the instant that it was due, and the store of the
system, if the system records outcomes in it. A rate holds if both saw every fire of every second exactly once, and
the last one at most 2 s after the end of the run.
"""

from collections import Counter
from dataclasses import dataclass, field

BOUND_MS = 2_000


@dataclass
class Counted:
    """The fires of a run, as the witnesses saw them."""

    wanted: int
    called: int = 0
    called_distinct: int = 0
    recorded: int | None = None
    recorded_distinct: int | None = None
    late_ms: list = field(default_factory=list)

    @property
    def holds(self):
        seen = [self.called, self.called_distinct]
        if self.recorded is not None:
            seen += [self.recorded, self.recorded_distinct]
        return self.wanted > 0 and all(number == self.wanted for number in seen)

    def __str__(self):
        words = f"of {self.wanted} fires {self.called} called, {self.called_distinct} distinct"
        if self.recorded is not None:
            words += f"; {self.recorded} recorded as succeeded, {self.recorded_distinct} distinct"
        return words


def dues(start_ms, until_ms, every_ms):
    """The instants of a run: multiples of the interval from `start_ms`, before `until_ms`."""
    first = -(-start_ms // every_ms) * every_ms
    return range(first, until_ms, every_ms)


def of_instants(count, start_ms, until_ms, every_ms, calls, records):
    """Counts the fires of schedules whose instants are known.

    `calls` are (schedule, due_ms, start_ms), `records` are (schedule, due_ms, end_ms) of tasks that succeeded, or None
    if the system records no outcome.
    """
    wanted = {(schedule, due) for due in dues(start_ms, until_ms, every_ms) for schedule in range(count)}
    bound = until_ms + BOUND_MS
    counted = Counted(len(wanted))
    counted.called, counted.called_distinct = _seen(calls, wanted, bound)
    if records is not None:
        counted.recorded, counted.recorded_distinct = _seen(records, wanted, bound)
    counted.late_ms = sorted(start - due for schedule, due, start in calls if (schedule, due) in wanted)
    return counted


def _seen(fires, wanted, bound):
    seen = Counter((schedule, due) for schedule, due, at in fires if (schedule, due) in wanted and at <= bound)
    return seen.total(), len(seen)


def of_intervals(count, start_ms, until_ms, every_ms, calls, records):
    """Counts the fires of schedules that count from their last fire and so have no instants of their own.

    Such a schedule drifts: one that fires every second may fire one time less in a run. Every schedule has to fire as
    often as the interval fits into the run, or once less or more, and every call has to be recorded exactly once.
    `calls` are (schedule, id, start_ms); `records` are (schedule, id, end_ms) or None.
    """
    fits = (until_ms - start_ms) // every_ms
    within = [call for call in calls if start_ms <= call[2] < until_ms]
    fires = Counter(schedule for schedule, _, _ in within)
    steady = all(fits - 1 <= fires[schedule] <= fits + 1 for schedule in range(count))
    counted = Counted(len(within) if steady else count * fits)
    counted.called, counted.called_distinct = len(within), len({id for _, id, _ in within})
    if records is not None:
        ids = {id for _, id, _ in within}
        kept = Counter(id for _, id, end in records if id in ids and end <= until_ms + BOUND_MS)
        counted.recorded, counted.recorded_distinct = kept.total(), len(kept)
    # A schedule that lost more than one fire is not steady, whatever the sum is.
    if not steady:
        counted.called_distinct = min(counted.called_distinct, counted.wanted - 1)
    return counted


def percentile(values, share):
    """The value below which this share of sorted values is; None if there are none."""
    if not values:
        return None
    return values[min(len(values) - 1, int(share * len(values)))]
