-- An executor whose clock was wrong could report an end in the future. Such a task would be kept
-- until then. It ended before now, by the later of this machine's clock and the last commit's.
with clock (now) as (
    select max(
        cast(unixepoch('subsec') * 1000 as integer),
        coalesce((select cast(value as integer) from meta where key = 'clock'), 0)
    )
)
update attempts set
    started_at = min(started_at, clock.now),
    ended_at = min(ended_at, clock.now),
    task_ended_at = min(task_ended_at, clock.now)
from clock
where attempts.task_ended_at > clock.now
   or attempts.ended_at > clock.now
   or attempts.started_at > clock.now;

-- Ended tasks are removed by their end.
create index heads_by_end on attempts (task_ended_at) where task_ended_at is not null;

-- A deleted job is removed by its last change: its deletion, or the last day on which an executor
-- still declared it.
create index deleted_jobs on jobs (updated_at) where deleted_at is not null;
