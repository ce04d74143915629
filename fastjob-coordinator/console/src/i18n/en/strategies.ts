/** The choices of a job: a name and one sentence each. */
export const strategies = {
  kind: {
    cron: { label: 'Cron', hint: 'at times of the calendar' },
    fixed_rate: { label: 'Fixed rate', hint: 'every so often' },
    fixed_delay: { label: 'Fixed delay', hint: 'after the last one ended' },
    once: { label: 'Once', hint: 'at one instant' },
    parent: { label: 'After a parent', hint: 'when another job ends' },
    none: { label: 'By hand', hint: 'or by a call' },
  },
  misfire: {
    skip: { label: 'Skip', hint: 'Fires that were missed are left out.' },
    fire_once: {
      label: 'Run once',
      hint: 'Fires that were missed while no coordinator was up are caught up with a single run.',
    },
    fire_all: { label: 'Run all', hint: 'Each missed fire is caught up, the newest within these bounds.' },
  },
  route: {
    round_robin: { label: 'In turn', hint: 'Executors take turns.' },
    random: { label: 'Random', hint: 'Each executor with the same probability.' },
    consistent_hash: {
      label: 'Consistent hash',
      hint: 'The same executor for this job, while others come and go.',
    },
    least_scheduled: {
      label: 'Least scheduled',
      hint: 'The executor that had the fewest attempts of this job.',
    },
    least_recently_used: {
      label: 'Least recently used',
      hint: 'The executor whose last attempt of this job is the oldest.',
    },
    failover: {
      label: 'Failover',
      hint: 'Stays with one executor until it is lost or full, then the next by name.',
    },
    idle_first: { label: 'Idle first', hint: 'The executor that holds the fewest attempts of any job.' },
    response_first: { label: 'Response first', hint: 'The executor that is likely to respond first.' },
    cpu_first: { label: 'CPU first', hint: 'The executor with the lowest CPU load.' },
    memory_first: { label: 'Memory first', hint: 'The executor with the most free memory.' },
    first: { label: 'First', hint: 'The first executor by name.' },
    last: { label: 'Last', hint: 'The last executor by name.' },
    specific: { label: 'A specific one', hint: 'This executor only, even for retries.' },
  },
  shard: {
    one: { label: 'One', hint: 'One executor runs the whole task.' },
    all: { label: 'All', hint: 'Every executor that has the handler runs a shard.' },
    dynamic: {
      label: 'Those that match',
      hint: 'Every executor whose labels and figures match the filter runs a shard.',
    },
    count: { label: 'A fixed number', hint: 'So many shards, spread over the executors.' },
  },
  block: {
    serial: { label: 'One at a time', hint: 'The next one waits until this one has ended.' },
    skip_new: { label: 'Skip the new one', hint: 'What arrives while one runs is skipped.' },
    replace_running: {
      label: 'Replace the running one',
      hint: 'The running one is stopped, then the new one runs.',
    },
    parallel: { label: 'In parallel', hint: 'Several run at the same time.' },
  },
  scope: {
    executor: { label: 'On each executor', hint: 'Each executor by itself.' },
    cluster: { label: 'Across all executors', hint: 'All executors of the service together.' },
  },
  end: {
    success: { label: 'on success', hint: 'It succeeded.' },
    failure: { label: 'on failure', hint: 'It failed after its last retry.' },
    always: { label: 'always', hint: 'It succeeded, failed or was stopped.' },
  },
}
