import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { JobDraft } from '../../../api/types'
import { emptyForm } from './form'
import { compact, jsonError, pretty } from './json'
import { restOf, toForm } from './read'
import { toToml } from './toml'
import { toDraft } from './write'

const again = (draft: JobDraft) => toDraft(toForm(draft, 'UTC'), restOf(draft))

/** As the coordinator shows it, defaults included. */
const shown = {
  ...{
    id: 1,
    revision: 3,
    origin: 'api',
    created_at: '2026-11-30T05:22:40Z',
    updated_at: '2026-11-30T05:22:40Z',
  },
  next_fire_at: null,
  ...{ name: 'report', service: 'billing', handler: 'report', param: '{"a":1}', enabled: true },
  schedule: { cron: '0 0 2 ? * MON-FRI', zone: 'Asia/Shanghai' },
  ...{ misfire: 'skip', route: 'round_robin', shard: 'one' },
  block: { strategy: 'serial', scope: 'executor', max_waiting: 1000 },
  grace: '10s',
  retry: { count: 0, delay: '5s', factor: 2.0, max_delay: '5m', jitter: 0.0 },
  no_executor: '1m',
} as JobDraft

test('what is shown with its defaults is written without them', () => {
  expect(again(shown)).toEqual({
    name: 'report',
    service: 'billing',
    param: '{"a":1}',
    schedule: { cron: '0 0 2 ? * MON-FRI', zone: 'Asia/Shanghai' },
  })
})

const full: JobDraft = {
  name: 'all',
  service: 's',
  handler: 'h',
  description: 'd',
  param: 'text',
  schedule: { cron: '0 2 * * *', zone: 'Europe/Berlin' },
  start_at: '2026-12-01T00:00:00Z',
  end_at: '2027-12-01T00:00:00Z',
  jitter: '1m',
  exclude: { days: ['12-25', 'sat..sun'], hours: ['22-6'] },
  misfire: { fire_all: { max: 5, window: '1h' } },
  route: { specific: 'e1' },
  shard: { dynamic: 'region in (eu, us)' },
  block: { strategy: 'parallel', scope: 'cluster', max_waiting: 5, max_running: 4 },
  timeout: '10m',
  grace: '20s',
  retry: { count: 3, delay: '10s', factor: 1.5, max_delay: '1m', jitter: 0.1 },
  no_executor: '2m',
  children: [{ job: 'mail', on: 'failure', pass_result: true }, { job: 'b.c' }],
  alarms: ['ops'],
  alarm_when: { runs_longer: '10m', starts_later: '30s' },
  enabled: false,
  labels: { team: 'x', 'a b': 'ü"' },
}

test('every field of a job goes through the form and comes back', () => {
  expect(again(full)).toEqual(full)
  const others: JobDraft[] = [
    { name: 'a', schedule: { fixed_rate: '30s' }, exclude: { days: ['sat'], zone: 'Asia/Tokyo' } },
    { name: 'a', schedule: { fixed_delay: '30s' } },
    { name: 'a', schedule: { once: '2026-12-01T08:00:00Z' } },
    { name: 'a', misfire: 'fire_once', route: 'random', shard: 'all', block: 'skip_new' },
    { name: 'a', misfire: 'fire_all', shard: { count: 8 }, alarms: ['none'] },
    { name: 'a' },
  ]
  for (const draft of others) expect(again(draft)).toEqual(draft)
})

test('fields that the form does not know are kept', () => {
  const newer = {
    name: 'a',
    owner: 'ops',
    schedule: { cron: '0 2 * * *', calendar: 'bank' },
    retry: { count: 1, on: ['timeout'] },
    more: { x: [1] },
  }
  expect(again(newer as unknown as JobDraft)).toEqual(newer)
})

test('without a schedule nothing limits it, and without channels nothing is watched', () => {
  const form = { ...toForm(full, 'UTC'), kind: 'none' as const, alarms: [] }
  const draft = toDraft(form)
  for (const field of ['schedule', 'start_at', 'end_at', 'jitter', 'exclude', 'alarm_when']) {
    expect(draft).not.toHaveProperty(field)
  }
})

test('what is not a number is left for the coordinator to name', () => {
  const form = { ...emptyForm('UTC'), name: 'a', retryCount: 'three', timeout: '10 minuets' }
  expect(toDraft(form)).toMatchObject({ retry: { count: 'three' }, timeout: '10 minuets' })
})

test('JSON keeps its numbers, and the line of an error is found', () => {
  const text = '{ "id": 12345678901234567890,\n  "x": 1.0, "s": "a \\" b" }'
  expect(compact(text)).toBe('{"id":12345678901234567890,"x":1.0,"s":"a \\" b"}')
  expect(pretty(compact(text))).toBe('{\n  "id": 12345678901234567890,\n  "x": 1.0,\n  "s": "a \\" b"\n}')
  expect(pretty('{"a":[],"b":{}}')).toBe('{\n  "a": [],\n  "b": {}\n}')
  expect(compact('plain text')).toBe('plain text')
  expect(jsonError('{"a": 1}')).toBeNull()
  expect(jsonError('{\n  "a": 1,\n  b: 2\n}')).toMatchObject({ line: 3, column: 3 })
  expect(jsonError('{"a": 1')).toMatchObject({ line: 1, column: 8 })
  expect(jsonError('[1,]')).toMatchObject({ line: 1, column: 4 })
  expect(jsonError('{"a": "x\ny"}')).toMatchObject({ line: 1, column: 9 })
  expect(jsonError('{} x')).toMatchObject({ line: 1, column: 4 })
  expect(jsonError(`${'['.repeat(100_000)}`)).not.toBeNull()
})

test('a job is written as a file', () => {
  expect(toToml(again(shown))).toBe(
    `[[job]]
name = "report"
service = "billing"
param = { a = 1 }
schedule = { cron = "0 0 2 ? * MON-FRI", zone = "Asia/Shanghai" }
`,
  )
  const odd = { name: 'a', param: '{"a":null,"n":12345678901234567890}', description: 'two\nlines "x"' }
  expect(toToml(odd)).toBe(`[[job]]
name = "a"
param = '{"a":null,"n":12345678901234567890}'
description = "two\\nlines \\"x\\""
`)
})

/** The program `fastjob` of this build, if its path is given. */
const binary = process.env.FASTJOB_BIN

test.skipIf(!binary)('the command reads the file as it was meant', () => {
  const dir = mkdtempSync(join(tmpdir(), 'fastjob-toml-'))
  try {
    const jobs: JobDraft[] = [
      { ...full, children: [] },
      again(shown),
      {
        name: 'odd',
        param: '{"a":null,"n":12345678901234567890,"s":"it\'s \\\\ \\u0001"}',
        description: 'a\nb\t"c" \\',
      },
      { name: 'list', param: '[1,2.5,"x",{"k v":true}]', schedule: { once: '2099-01-01T00:00:00Z' } },
      { name: 'text', param: 'it\'s "quoted" \\ \u0007' },
    ]
    const file = join(dir, 'jobs.toml')
    writeFileSync(file, jobs.map(toToml).join('\n'))
    const out = execFileSync(binary as string, ['job', 'check', file], { encoding: 'utf8' })
    expect(out).toContain('5')
  } finally {
    rmSync(dir, { recursive: true })
  }
})

test('the example of the documentation goes through the form', () => {
  const docs = readFileSync('../../docs/jobs.md', 'utf8')
  expect(docs).toContain('retry = { count = 3, delay = "5s", factor = 2.0, max_delay = "5m", jitter = 0.1 }')
  const draft: JobDraft = {
    ...{
      name: 'report',
      service: 'billing',
      handler: 'reportJobHandler',
      description: 'the report of last month',
    },
    param: '{"month":"2026-11"}',
    schedule: { cron: '0 0 2 ? * MON-FRI', zone: 'Asia/Shanghai' },
    misfire: 'fire_once',
    timeout: '10m',
    retry: { count: 3, jitter: 0.1 },
    labels: { team: 'billing' },
  }
  expect(again(draft)).toEqual(draft)
  for (const line of toToml(draft).split('\n')) {
    const [field] = line.split(' = ')
    if (field === 'retry' || !line.includes('=')) continue
    expect(docs.replace(/ +#.*/g, ''), line).toContain(line)
  }
})
