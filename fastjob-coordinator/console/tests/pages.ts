/** The pages of the console that tests and contact sheets show. */
import { api } from './support'

interface Tasks {
  items: { id: number; attempts: { shards: number }[] }[]
}

/** Pages by name. Those of a thing need its number. */
export async function pages(): Promise<[string, string][]> {
  const one = async (query: string) => (await api<Tasks>(`/tasks?limit=1&${query}`)).items[0]?.id
  const shards = (await api<Tasks>('/tasks?limit=100&job=sync.stock-by-region')).items.find((task) =>
    task.attempts.some((attempt) => attempt.shards > 1),
  )
  const tasks: [string, number | undefined][] = [
    ['task-failed', await one('state=failed')],
    ['task-running', await one('state=running&job=sync.push-orders')],
    ['task-succeeded', await one('state=succeeded&job=billing.invoice-run')],
    ['task-shards', shards?.id],
  ]
  return [
    ['overview', '/overview'],
    ['jobs', '/jobs'],
    ['jobs-failing', '/jobs?enabled=true&last=failed'],
    ['jobs-none', '/jobs?text=nothing-has-this-name'],
    ['job', '/jobs/billing.invoice-run'],
    ['job-definition', '/jobs/reports.orders-to-lake?tab=definition'],
    ['job-history', '/jobs/reports.orders-to-lake?tab=history'],
    ['job-alarms', '/jobs/billing.dunning-mail?tab=alarms'],
    ['job-new', '/jobs/new'],
    ['job-edit', '/jobs/reports.orders-to-lake/edit'],
    ['tasks', '/tasks'],
    ['tasks-failed', '/tasks?state=failed&since=24h'],
    ...tasks.flatMap(([name, id]): [string, string][] => (id === undefined ? [] : [[name, `/tasks/${id}`]])),
    ['executors', '/executors'],
    ['executor', '/executors/billing.billing-1'],
    ['handlers', '/handlers'],
    ['alarms', '/alarms'],
    ['alarms-channels', '/alarms?tab=channels'],
    ['alarms-silences', '/alarms?tab=silences'],
    ['timetable', '/timetable'],
    ['timetable-week', '/timetable?range=week'],
    ['cluster', '/cluster'],
    ['settings', '/settings'],
  ]
}
