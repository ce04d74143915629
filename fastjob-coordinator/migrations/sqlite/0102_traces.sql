-- The id of the trace that the task was part of, as 32 digits.
alter table tasks add column trace text;

-- The trace that the child is part of, as the W3C headers `traceparent` and, after a space,
-- `tracestate`.
alter table child_starts add column trace text;
