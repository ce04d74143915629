-- An executor whose clock was wrong could report an end in the future. Such a task would be kept
-- until then. It ended before now, by the later of the database's clock and the last commit's.
with clock (now) as (
    select greatest(
        (extract(epoch from clock_timestamp()) * 1000)::bigint,
        (select coalesce(max(clock), 0) from partitions)
    )
)
update attempts set
    started_at = case when started_at > clock.now then clock.now else started_at end,
    ended_at = case when ended_at > clock.now then clock.now else ended_at end,
    task_ended_at = case when task_ended_at > clock.now then clock.now else task_ended_at end
from clock
where attempts.task_ended_at > clock.now
   or attempts.ended_at > clock.now
   or attempts.started_at > clock.now;

-- Ended tasks are removed by their end, each partition's by the node that holds it.
create index heads_by_end on attempts ((id % 32), task_ended_at) where task_ended_at is not null;

-- A deleted job is removed by its last change: its deletion, or the last day on which an executor
-- still declared it.
create index deleted_jobs on jobs (updated_at) where deleted_at is not null;
