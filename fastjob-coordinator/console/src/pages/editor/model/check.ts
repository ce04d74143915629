/** What can be said of the form at once, in the user's language. The coordinator judges in the end: see
 * `useChecks`. A problem is a word of the dictionary with the values for its places. */

import { parseDay, parseHours } from '../../../schedule/calendar'
import { parseCron } from '../../../schedule/cron/parse'
import type { CronProblem } from '../../../schedule/cron/types'
import { parseDuration } from '../../../schedule/duration'
import { isZone } from '../../../schedule/zone'
import type { Form } from './form'
import { jsonError, looksLikeJson } from './json'
import { hasSchedule } from './write'

export type Word =
  | 'missing'
  | 'name'
  | 'long'
  | 'duration'
  | 'zero'
  | 'shorterThan'
  | 'longerThan'
  | 'number'
  | 'wholeNumber'
  | 'between'
  | 'instant'
  | 'endBeforeStart'
  | 'zone'
  | 'day'
  | 'hours'
  | 'json'
  | 'twice'
  | 'itself'
  | 'labelKey'
  | 'noneAlone'

export interface Problem {
  /** As the coordinator names it: `retry.count`. */
  field: string
  word: Word | { cron: CronProblem; from: number; to: number }
  values?: Record<string, string | number>
}

const NAME = /^[\p{Alphabetic}\p{N}_.:-]+$/u
const bytes = (text: string) => new TextEncoder().encode(text).length

export function check(form: Form): Problem[] {
  const found: Problem[] = []
  const add = (field: string, word: Problem['word'], values?: Problem['values']) =>
    found.push({ field, word, values })
  const checks = new Checks(add)
  checks.name('name', form.name, true)
  checks.name('service', form.service, true)
  checks.name('handler', form.handler, false)
  if (bytes(form.description) > 4096) add('description', 'long', { most: '4 KiB' })
  labels(form, add)
  if (hasSchedule(form)) timing(form, checks)
  strategies(form, checks)
  if (bytes(form.param) > 256 * 1024) add('param', 'long', { most: '256 KiB' })
  const json = looksLikeJson(form.param) ? jsonError(form.param) : null
  if (json) add('param', 'json', { line: json.line, column: json.column })
  return found
}

type Add = (field: string, word: Problem['word'], values?: Problem['values']) => void

class Checks {
  constructor(readonly add: Add) {}

  name(field: string, text: string, needed: boolean) {
    const name = text.trim()
    if (name === '' && needed) this.add(field, 'missing')
    else if (bytes(name) > 128) this.add(field, 'long', { most: 128 })
    else if (name !== '' && !NAME.test(name))
      this.add(field, 'name', { sign: [...name].find((one) => !NAME.test(one)) ?? '' })
  }

  /** A duration that may be left out unless `needed`. */
  duration(field: string, text: string, { needed = false, least = 0, most = Number.POSITIVE_INFINITY } = {}) {
    const trimmed = text.trim()
    if (trimmed === '') {
      if (needed) this.add(field, 'missing')
      return
    }
    const millis = parseDuration(trimmed)
    if (millis === null) this.add(field, 'duration')
    else if (least === 1 && millis === 0) this.add(field, 'zero')
    else if (millis < least) this.add(field, 'shorterThan', { least: `${least / 1000}s` })
    else if (millis > most) this.add(field, 'longerThan', { most: `${most / 3_600_000}h` })
  }

  number(field: string, text: string, least: number, most: number, whole = true) {
    const trimmed = text.trim()
    if (trimmed === '') return
    const value = Number(trimmed)
    if (Number.isNaN(value)) this.add(field, whole ? 'wholeNumber' : 'number')
    else if (whole && !Number.isInteger(value)) this.add(field, 'wholeNumber')
    else if (value < least || value > most) this.add(field, 'between', { least, most })
  }

  instant(field: string, text: string, needed: boolean): number | null {
    const trimmed = text.trim()
    if (trimmed === '' && !needed) return null
    const at = /\d[Tt ]\d\d:\d\d.*(?:[Zz]|[+-]\d\d:?\d\d)$/.test(trimmed)
      ? Date.parse(trimmed.replace(' ', 'T'))
      : Number.NaN
    if (!Number.isNaN(at)) return at
    this.add(field, trimmed === '' ? 'missing' : 'instant')
    return null
  }
}

function timing(form: Form, checks: Checks) {
  const { add } = checks
  if (form.kind === 'cron') {
    const parsed = parseCron(form.cron)
    if (!parsed.ok) {
      const { problem, from, to } = parsed.error
      add('schedule.cron', { cron: problem, from, to })
    }
    if (!isZone(form.zone || 'UTC')) add('schedule.zone', 'zone')
  }
  if (form.kind === 'fixed_rate')
    checks.duration('schedule.fixed_rate', form.fixedRate, { needed: true, least: 100 })
  if (form.kind === 'fixed_delay')
    checks.duration('schedule.fixed_delay', form.fixedDelay, { needed: true, least: 100 })
  if (form.kind === 'once') checks.instant('schedule.once', form.once, true)
  const start = checks.instant('start_at', form.startAt, false)
  const end = checks.instant('end_at', form.endAt, false)
  if (start !== null && end !== null && end < start) add('end_at', 'endBeforeStart')
  checks.duration('jitter', form.jitter, { most: 3_600_000 })
  for (const [index, text] of form.excludeDays.entries()) {
    if (!parseDay(text)) add(`exclude.days[${index}]`, 'day', { text })
  }
  for (const [index, text] of form.excludeHours.entries()) {
    if (!parseHours(text)) add(`exclude.hours[${index}]`, 'hours', { text })
  }
}

function strategies(form: Form, checks: Checks) {
  const { add } = checks
  if (form.misfire === 'fire_all') {
    checks.number('misfire.fire_all.max', form.fireAllMax, 1, 1000)
    checks.duration('misfire.fire_all.window', form.fireAllWindow)
  }
  if (form.route === 'specific') checks.name('route.specific', form.executor, true)
  if (form.shard === 'dynamic' && form.shardFilter.trim() === '') add('shard.dynamic', 'missing')
  if (form.shard === 'count') {
    if (form.shardCount.trim() === '') add('shard.count', 'missing')
    checks.number('shard.count', form.shardCount, 1, 1000)
  }
  if (form.block === 'serial' || form.block === 'parallel') {
    checks.number('block.max_waiting', form.maxWaiting, 0, 100_000)
  }
  if (form.block === 'parallel') checks.number('block.max_running', form.maxRunning, 1, 100_000)
  checks.duration('timeout', form.timeout, { least: 1 })
  checks.duration('grace', form.grace)
  checks.number('retry.count', form.retryCount, 0, 100)
  checks.duration('retry.delay', form.retryDelay)
  checks.number('retry.factor', form.retryFactor, 1, 100, false)
  checks.duration('retry.max_delay', form.retryMaxDelay)
  checks.number('retry.jitter', form.retryJitter, 0, 1, false)
  checks.duration('no_executor', form.noExecutor)
  children(form, checks)
  for (const [index, channel] of form.alarms.entries()) checks.name(`alarms[${index}]`, channel, true)
  if (form.alarms.length > 1 && form.alarms.includes('none')) add('alarms', 'noneAlone')
  if (form.alarms.length > 0) {
    checks.duration('alarm_when.runs_longer', form.runsLonger, { least: 1000 })
    checks.duration('alarm_when.starts_later', form.startsLater, { least: 1000 })
  }
}

function children(form: Form, checks: Checks) {
  const own = [form.name.trim(), `${form.service.trim()}.${form.name.trim()}`]
  form.children.forEach(({ job }, index) => {
    const field = `children[${index}].job`
    checks.name(field, job, true)
    if (job.trim() !== '' && own.includes(job.trim())) checks.add(field, 'itself')
    else if (form.children.findIndex((child) => child.job.trim() === job.trim()) < index)
      checks.add(field, 'twice')
  })
}

function labels(form: Form, add: Add) {
  const keys = form.labels.map(({ key }) => key.trim())
  form.labels.forEach(({ key, value }, index) => {
    if (key.trim() === '' && value.trim() === '') return
    const wrong = key.trim() === '' || bytes(key.trim()) > 63 || bytes(value.trim()) > 255
    if (wrong) add('labels', 'labelKey', { key: key.trim() })
    else if (keys.indexOf(key.trim()) < index) add('labels', 'twice')
  })
}
