/** A company as the pictures show it: the jobs of four services, and the morning of one day. Its handlers are those of
 * `tests/src/bin/console_scene`. */
import type { Clock } from './clock'
import { port } from './paths'
import { Program } from './program'

/** When the pictures are taken: 8:41 in Berlin, 15:41 in Shanghai. */
export const NOW = '2026-12-02T07:41:00Z'
/** Six hours before. */
const BEGIN = '2026-12-02T01:30:00Z'

const team = (name: string) => ({ team: name })

const JOBS = [
  {
    name: 'charge-invoices',
    service: 'billing',
    handler: 'charge-cards',
    description: 'Charges the cards of invoices that are due',
    schedule: { cron: '0 0/5 * * * ?' },
    retry: { count: 3, delay: '10s', factor: 1.5 },
    timeout: '2m',
    misfire: 'fire_once',
    block: { strategy: 'serial', scope: 'cluster', max_waiting: 10 },
    alarms: ['billing-hook'],
    alarm_when: { runs_longer: '1m', starts_later: '2m' },
    labels: { team: 'billing', critical: 'yes' },
  },
  {
    name: 'payment-reminders',
    service: 'billing',
    handler: 'dunning-mail',
    description: 'Reminds customers of unpaid invoices',
    schedule: { cron: '0 30 8 ? * MON-FRI', zone: 'Europe/Berlin' },
    misfire: 'fire_once',
    alarms: ['ops-chat', 'billing-hook'],
    labels: team('billing'),
  },
  {
    name: 'late-payments',
    service: 'billing',
    handler: 'charge-cards',
    description: 'Charges again what failed during the day',
    schedule: { cron: '0 0 20 * * ?', zone: 'America/New_York' },
    misfire: 'fire_once',
    labels: team('billing'),
  },
  {
    name: 'orders-to-lake',
    service: 'reports',
    handler: 'export-csv',
    description: 'Exports the orders of the day to the data lake',
    param: { table: 'orders', rows: 8_000_000, seconds: 600 },
    schedule: { cron: '0 15 3 ? * MON-FRI', zone: 'Asia/Shanghai' },
    exclude: { days: ['sat', 'sun', '10-01..10-07'] },
    route: 'least_scheduled',
    timeout: '2h',
    labels: { team: 'analytics', env: 'prod' },
  },
  {
    name: 'invoices-to-lake',
    service: 'reports',
    handler: 'export-csv',
    description: 'Exports new invoices to the data lake',
    param: { table: 'invoices', rows: 42_000, seconds: 24 },
    schedule: { cron: '0 0/10 * * * ?' },
    timeout: '10m',
    misfire: 'fire_once',
    labels: { team: 'analytics', env: 'prod' },
  },
  {
    name: 'black-friday',
    service: 'reports',
    handler: 'daily-sales',
    description: 'The first figures of Black Friday',
    schedule: { once: '2027-11-26T06:00:00Z' },
    param: { currency: 'USD', regions: ['us'] },
    labels: team('analytics'),
  },
  {
    name: 'compare-stock',
    service: 'sync',
    handler: 'sync-inventory',
    description: 'Compares the stock of each warehouse with the shop',
    schedule: { cron: '0 20 * * * ?' },
    shard: { count: 4 },
    misfire: 'fire_once',
    alarms: ['ops-chat'],
    labels: team('logistics'),
  },
  {
    name: 'stock-by-region',
    service: 'sync',
    handler: 'sync-inventory',
    description: 'Copies the stock of a region to its shop',
    shard: { dynamic: 'region in (eu, us)' },
    schedule: { cron: '0 0/15 * * * ?' },
    misfire: 'fire_once',
    labels: team('logistics'),
  },
  {
    name: 'customers-to-crm',
    service: 'sync',
    handler: 'sync-customers',
    description: 'Copies customers that changed to the CRM',
    schedule: { cron: '0 0/10 * * * ?' },
    misfire: 'fire_once',
    timeout: '1m',
    labels: team('crm'),
  },
  {
    name: 'orders-to-warehouse',
    service: 'sync',
    handler: 'push-orders',
    description: 'Pushes orders to the warehouse',
    block: { strategy: 'serial', scope: 'cluster', max_waiting: 20 },
    labels: team('logistics'),
  },
  {
    name: 'warm-search-cache',
    service: 'search',
    handler: 'warm-cache',
    description: 'Keeps the caches of the search servers warm',
    schedule: { cron: '0 0/2 * * * ?' },
    misfire: 'fire_once',
    labels: team('search'),
  },
  {
    name: 'close-day',
    service: 'ledger',
    handler: 'close-ledger',
    description: 'Closes the books of the day before',
    schedule: { cron: '0 25 8 * * ?', zone: 'Europe/Berlin' },
    no_executor: '2h',
    misfire: 'fire_once',
    labels: team('finance'),
  },
]

/** Jobs that the handlers declare, as they are. All others are those of the tests. */
const DECLARED = [
  'billing.invoice-run',
  'reports.daily-sales',
  'reports.month-end',
  'reports.rollback-month',
  'search.reindex',
]

interface Task {
  id: number
  state: string
  job: string
  service: string
}

export class Company {
  private constructor(
    private readonly program: Program,
    readonly clock: Clock,
    readonly url: string,
  ) {}

  /** Opens it, and lets its morning pass. */
  static async open(program: string, clock: Clock): Promise<Company> {
    clock.run(1, Date.parse(BEGIN))
    const scene = Program.start(program, ['--tasks', '0', '--port', port, '--console-dir', 'dist'], clock)
    try {
      const { url } = JSON.parse(await scene.line(/^\{/)) as { url: string }
      const company = new Company(scene, clock, url)
      await scene.order('join sync')
      await company.prepare()
      await company.morning()
      return company
    } catch (error) {
      await scene.end()
      throw error
    }
  }

  async call<Answer>(method: string, to: string, body?: object): Promise<Answer> {
    const response = await fetch(`${this.url}/api/v1${to}`, {
      method,
      headers: { 'content-type': 'application/json' },
      ...(body && { body: JSON.stringify(body) }),
    })
    const text = await response.text()
    if (!response.ok) throw new Error(`${method} ${to}: ${response.status} ${text}`)
    return (text === '' ? null : JSON.parse(text)) as Answer
  }

  async tasks(query: string): Promise<Task[]> {
    return (await this.call<{ items: Task[] }>('GET', `/tasks?${query}`)).items
  }

  async task(query: string): Promise<number> {
    const [first] = await this.tasks(`limit=1&${query}`)
    if (!first) throw new Error(`no task has ${query}`)
    return first.id
  }

  async start(job: string, body: object = {}): Promise<number> {
    return (await this.call<{ task: number }>('POST', `/jobs/${job}/start`, { cause: 'manual', ...body }))
      .task
  }

  async end(): Promise<void> {
    await this.program.end()
  }

  private async prepare(): Promise<void> {
    for (const task of await this.tasks('limit=100&state=queued,running'))
      await this.call('POST', `/tasks/${task.id}/stop`)
    await this.call('PATCH', '/jobs', { jobs: JOBS, replace: true, dry_run: false })
    const kept = new Set([...DECLARED, ...JOBS.map((job) => `${job.service}.${job.name}`)])
    const all = await this.call<{ items: { name: string; service: string }[] }>('GET', '/jobs?limit=100')
    for (const job of all.items.map(({ name, service }) => `${service}.${name}`))
      if (!kept.has(job)) await this.call('DELETE', `/jobs/${job}`)
    const { items } = await this.call<{ items: { id: number }[] }>('GET', '/alarms/silences')
    for (const { id } of items) await this.call('DELETE', `/alarms/silences/${id}`)
  }

  private async morning(): Promise<void> {
    const { clock } = this
    clock.run(60)
    await clock.reaches('2026-12-02T04:10:00Z')
    await this.start('billing.invoice-run', { param: { month: '2026-11', customers: 120, dry_run: true } })
    await clock.reaches('2026-12-02T06:50:00Z')
    await this.start('billing.invoice-run', { param: { month: '2026-11', customers: 120, dry_run: false } })
    clock.run(40)
    const silence = { job: 'billing.payment-reminders', channel: 'billing-hook', for: '4h', reason: 'known' }
    await this.call('POST', '/alarms/silences', silence)
    await clock.reaches('2026-12-02T07:28:30Z')
    // Times of a few milliseconds are exact only if a second is not much shorter.
    clock.run(20)
    await clock.reaches('2026-12-02T07:34:00Z')
    for (let task = 0; task < 3; task++) await this.start('sync.orders-to-warehouse')
    await clock.reaches('2026-12-02T07:35:30Z')
    await this.start('reports.orders-to-lake')
    await clock.reaches(NOW)
    // Almost at rest: nothing ends while the pictures are taken.
    clock.run(0.02, Date.parse(NOW))
  }
}
