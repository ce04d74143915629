export const executors = {
  title: 'Executors',
  summary: '{up} up · {used} of {capacity} places used',
  lost: { one: '{n} lost', other: '{n} lost' },
  connect: 'Connect one',
  search: 'Name, address, label, handler',
  searchLabel: 'Filter executors',
  group: '{up} up · {used} of {capacity} places',
  noneUp: 'no executor is connected',
  columns: {
    name: 'Executor',
    state: 'State',
    address: 'Address',
    seen: 'Last heard',
    places: 'Places',
    cpu: 'CPU',
    memory: 'Free memory',
    labels: 'Version, labels',
  },
  waiting: { one: '{n} waits in its lanes', other: '{n} wait in its lanes' },
  empty: {
    title: 'No executor is connected',
    detail:
      'An executor is a process of yours with handlers. It opens the connection: no port of it has to be reachable.',
  },
  count: { one: '{n} executor', other: '{n} executors' },
  countOf: '{n} of {of} executors',
  noMatch: 'No executor matches',
  how: {
    title: 'Connect an executor',
    detail: 'Add the crate to your service and run an executor in it. This coordinator is at {address}.',
    token: 'The coordinator needs a token: set FASTJOB_TOKEN for the executor as well.',
  },
}
