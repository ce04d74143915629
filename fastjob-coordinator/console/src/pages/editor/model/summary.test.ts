import { expect, test } from 'vitest'
import { check } from './check'
import { emptyForm, type Form } from './form'
import { places, retries } from './retries'
import { plain, summary } from './summary'

const form: Form = {
  ...emptyForm('Asia/Shanghai'),
  name: 'report',
  service: 'billing',
  cron: '0 0 2 ? * MON-FRI',
  retryCount: '3',
}

test('the summary says what the job will do', () => {
  expect(plain(summary(form, 'en'))).toBe(
    'Runs on weekdays at 02:00 Shanghai time, one at a time, on the executors of billing in turn; retries failures 3 times.',
  )
  expect(plain(summary(form, 'zh'))).toBe(
    '每个工作日 02:00（Shanghai 时间）执行，单机串行，在 billing 的执行器中轮询；失败重试 3 次。',
  )
  expect(
    summary(form, 'en')
      .filter(({ strong }) => strong)
      .map(({ text }) => text),
  ).toEqual(['on weekdays at 02:00', 'one at a time', 'billing', '3 times'])
})

test('the summary follows the kinds and the strategies', () => {
  const say = (patch: Partial<Form>) => plain(summary({ ...form, retryCount: '0', ...patch }, 'en'))
  expect(say({ kind: 'none' })).toBe(
    'Runs only by hand or by a call, one at a time, on the executors of billing in turn.',
  )
  expect(say({ kind: 'fixed_delay', fixedDelay: '30s' })).toContain(
    'Runs again 30 s after the last one ended, one',
  )
  expect(say({ shard: 'all' })).toContain('on every executor of billing.')
  expect(say({ block: 'parallel', maxRunning: '4' })).toContain('up to 4 in parallel, on')
  expect(say({ excludeDays: ['12-25'], excludeHours: ['22-6'] })).toContain(
    'time, except 25 Dec, 22:00–06:00, one',
  )
  expect(say({ timeout: '10m', children: [{ job: 'mail', on: 'success', pass: false }] })).toContain(
    '; stops it after 10 min. Then starts mail.',
  )
  expect(say({ enabled: false })).toContain('It is disabled')
  expect(plain(summary({ ...form, kind: 'once', once: '2026-12-01T00:00:00Z' }, 'zh'))).toContain(
    '2026年12月1日 08:00 执行一次（Shanghai 时间），',
  )
})

test('delays grow by the factor up to the longest, as those of the coordinator', () => {
  const delays = (patch: Partial<Form>) => retries({ ...form, ...patch })?.delays.map((one) => one / 1000)
  expect(delays({ retryCount: '5', retryMaxDelay: '30s' })).toEqual([5, 10, 20, 30, 30])
  expect(delays({ retryCount: '0' })).toEqual([])
  expect(retries({ ...form, retryCount: '100', retryFactor: '1' })).toMatchObject({
    hidden: 94,
    total: 500_000,
  })
  expect(retries({ ...form, retryCount: 'x' })).toBeNull()
  expect(retries({ ...form, retryFactor: '0.5' })).toBeNull()
  const at = places([5_000, 10_000, 20_000])
  expect(at[0]).toBe(0)
  expect(at.at(-1)).toBeCloseTo(1)
  expect([...at].sort((a, b) => a - b)).toEqual(at)
})

test('what is wrong is found at its field', () => {
  const fields = (patch: Partial<Form>) => check({ ...form, ...patch }).map(({ field }) => field)
  expect(fields({})).toEqual([])
  expect(fields({ name: '' })).toEqual(['name'])
  expect(fields({ name: 'a b', cron: '0 0 25 * * ?', timeout: '10 minuets', retryCount: '900' })).toEqual([
    'name',
    'schedule.cron',
    'timeout',
    'retry.count',
  ])
  expect(fields({ kind: 'once', once: 'tomorrow' })).toEqual(['schedule.once'])
  expect(fields({ kind: 'fixed_rate', fixedRate: '' })).toEqual(['schedule.fixed_rate'])
  expect(fields({ kind: 'none', cron: 'x', startAt: 'x' })).toEqual([])
  expect(fields({ startAt: '2027-01-01T00:00:00Z', endAt: '2026-01-01T00:00:00Z' })).toEqual(['end_at'])
  expect(fields({ param: '{"a": }' })).toEqual(['param'])
  expect(fields({ children: [{ job: 'billing.report', on: 'success', pass: false }] })).toEqual([
    'children[0].job',
  ])
  expect(fields({ excludeDays: ['12-25', 'xmas'], excludeHours: ['1'] })).toEqual([
    'exclude.days[1]',
    'exclude.hours[0]',
  ])
  expect(fields({ timeout: '0s', noExecutor: '-1s' })).toEqual(['timeout', 'no_executor'])
  expect(fields({ name: '报表' })).toEqual([])
})
