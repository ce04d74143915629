/** What the job will do, in one or two sentences. `*` around a word makes it stand out. */

import type { Language } from '../../../lib/settings'
import { dayWords, hourWords } from '../../../schedule/calendar'
import { parseCron } from '../../../schedule/cron/parse'
import { parseDuration } from '../../../schedule/duration'
import { inSentence, spanWords } from '../../../schedule/words'
import { cityOf } from '../../../schedule/zone'
import type { Form } from './form'
import { toDraft } from './write'

export interface Piece {
  text: string
  strong: boolean
}

export function summary(form: Form, language: Language): Piece[] {
  const text = language === 'zh' ? chinese(form) : english(form)
  return text
    .split(/(\uE000[^\uE001]*\uE001)/)
    .filter(Boolean)
    .map((part) => {
      const strong = part.startsWith('\uE000')
      return { text: strong ? part.slice(1, -1) : part, strong }
    })
}

export const plain = (pieces: Piece[]): string => pieces.map(({ text }) => text).join('')

/** What stands out. Typed text may have any character, so the marks are ones that no field accepts. */
const b = (text: string | number) => `\uE000${String(text).replace(/[\uE000\uE001]/g, '')}\uE001`

function when(form: Form, language: Language): string {
  return inSentence(toDraft(form).schedule, language, form.zone, true)
}

/** Whether the schedule can be said: what is typed may not be one yet. */
function isSaid({ kind, cron, fixedRate, fixedDelay, once }: Form): boolean {
  if (kind === 'cron') return parseCron(cron).ok
  if (kind === 'fixed_rate') return parseDuration(fixedRate) !== null
  if (kind === 'fixed_delay') return parseDuration(fixedDelay) !== null
  return kind !== 'once' || !Number.isNaN(Date.parse(once))
}

const count = (text: string) => {
  const number = Number(text.trim() || '0')
  return Number.isInteger(number) && number > 0 ? number : 0
}

const isTimed = ({ kind }: Form) => kind === 'cron' || kind === 'once'

function english(form: Form): string {
  const service = b(form.service.trim() || 'default')
  const zone =
    isTimed(form) && isSaid(form) ? ` ${form.zone === 'UTC' ? 'UTC' : `${cityOf(form.zone)} time`}` : ''
  const runs = !isSaid(form)
    ? 'Runs when its schedule says, which is not valid yet'
    : form.kind === 'parent'
      ? `Runs ${b('when a parent job ends')}`
      : form.kind === 'none'
        ? `Runs only ${b('by hand or by a call')}`
        : form.kind === 'fixed_delay'
          ? `Runs again ${b(`${spanWords(form.fixedDelay, 'en')} after the last one ended`)}`
          : `Runs ${b(when(form, 'en'))}${zone}`
  const except = exceptions(form, 'en')
  const blocks: Record<string, string> = {
    serial: `, ${b('one at a time')}`,
    skip_new: `, ${b('skipped')} while one runs`,
    replace_running: `, ${b('replacing')} one that still runs`,
    parallel: `, up to ${b(form.maxRunning.trim() || 16)} ${b('in parallel')}`,
  }
  const block = (blocks[form.block] ?? '') + (form.blockScope === 'cluster' ? ' across all executors' : '')
  const retries = count(form.retryCount)
  const times = retries === 1 ? 'once' : `${retries} times`
  const after = [
    form.timeout.trim() && `stops it after ${b(spanWords(form.timeout, 'en'))}`,
    retries > 0 ? `retries failures ${b(times)}` : '',
  ].filter(Boolean)
  const children = form.children.map(({ job }) => job.trim()).filter(Boolean)
  const then = children.length > 0 ? ` Then starts ${children.map(b).join(', ')}.` : ''
  const disabled =
    form.enabled || !isScheduled(form)
      ? ''
      : ` It is ${b('disabled')}: until it is enabled, it does not run by itself.`
  const tail = after.length > 0 ? `; ${after.join(', ')}` : ''
  return `${runs}${except}${block}, ${where(form, service)}${tail}.${then}${disabled}`
}

const isScheduled = ({ kind }: Form) => kind !== 'none' && kind !== 'parent'

function where(form: Form, service: string): string {
  if (form.shard === 'all') return `on ${b('every executor')} of ${service}`
  if (form.shard === 'dynamic') return `on ${b('each executor')} of ${service} that matches its filter`
  if (form.shard === 'count')
    return `in ${b(`${form.shardCount.trim() || '?'} shards`)} over the executors of ${service}`
  if (form.route === 'specific') return `on ${b(form.executor.trim() || '?')} of ${service}`
  const routes: Record<string, string> = {
    round_robin: 'in turn',
    random: 'at random',
    consistent_hash: 'always on the same one',
    least_scheduled: 'on the one that had it the fewest times',
    least_recently_used: 'on the one that has not had it for the longest',
    failover: 'on one until it is lost',
    idle_first: 'on the idlest',
    response_first: 'on the fastest to respond',
    cpu_first: 'on the one with the least CPU load',
    memory_first: 'on the one with the most free memory',
    first: 'on the first',
    last: 'on the last',
  }
  const route = routes[form.route] ?? ''
  return `on the executors of ${service}${route.startsWith('in ') || route.startsWith('at ') ? ` ${route}` : route && `, ${route}`}`
}

function exceptions(form: Form, language: Language): string {
  if (!isScheduled(form)) return ''
  const days = form.excludeDays.map((text) => dayWords(text, language))
  const all = [...days, ...form.excludeHours.map(hourWords)]
  if (all.length === 0) return ''
  const few = all.slice(0, 3)
  const more = all.length - few.length
  if (language === 'zh') return `，${few.join('、')}${more > 0 ? `等 ${all.length} 项` : ''}除外`
  return `, except ${few.join(', ')}${more > 0 ? ` and ${more} more` : ''}`
}

function chinese(form: Form): string {
  const service = b(form.service.trim() || 'default')
  const zone =
    isTimed(form) && isSaid(form) ? `（${form.zone === 'UTC' ? 'UTC' : `${cityOf(form.zone)} 时间`}）` : ''
  const runs = !isSaid(form)
    ? '按调度执行（调度配置尚未有效）'
    : form.kind === 'parent'
      ? `${b('父任务结束时')}执行`
      : form.kind === 'none'
        ? `只由${b('手动或 API')} 触发`
        : form.kind === 'once'
          ? `${b(when(form, 'zh'))}${zone}`
          : `${b(when(form, 'zh'))}${zone}执行`
  const blocks: Record<string, string> = {
    serial: `，${b(form.blockScope === 'cluster' ? '全局串行' : '单机串行')}`,
    skip_new: `，执行期间${b('丢弃后续调度')}`,
    replace_running: `，${b('覆盖之前调度')}`,
    parallel: `，最多 ${b(form.maxRunning.trim() || 16)} 个${b('并行')}`,
  }
  const scope = form.blockScope === 'cluster' && form.block !== 'serial' ? '（所有执行器共同计算）' : ''
  const retries = count(form.retryCount)
  const after = [
    form.timeout.trim() && `超过 ${b(spanWords(form.timeout, 'zh'))} 终止`,
    retries > 0 ? `失败重试 ${b(`${retries} 次`)}` : '',
  ].filter(Boolean)
  const children = form.children.map(({ job }) => job.trim()).filter(Boolean)
  const then = children.length > 0 ? `随后触发 ${children.map(b).join('、')}。` : ''
  const disabled = form.enabled || !isScheduled(form) ? '' : `当前为${b('停止')}状态：启动后才会自动执行。`
  const tail = after.length > 0 ? `；${after.join('，')}` : ''
  return `${runs}${exceptions(form, 'zh')}${blocks[form.block] ?? ''}${scope}，${whereZh(form, service)}${tail}。${then}${disabled}`
}

function whereZh(form: Form, service: string): string {
  if (form.shard === 'all') return `在 ${service} 的${b('每个执行器')}上各执行一个分片`
  if (form.shard === 'dynamic') return `在 ${service} 中${b('符合条件')}的每个执行器上执行`
  if (form.shard === 'count')
    return `分为 ${b(`${form.shardCount.trim() || '?'} 个分片`)}，分布到 ${service} 的执行器`
  if (form.route === 'specific') return `在 ${service} 的执行器 ${b(form.executor.trim() || '?')} 上`
  const routes: Record<string, string> = {
    round_robin: '轮询',
    random: '随机选择',
    consistent_hash: '按一致性HASH选择',
    least_scheduled: '选择执行次数最少的',
    least_recently_used: '选择最久未使用的',
    failover: '故障转移',
    idle_first: '选择最空闲的',
    response_first: '选择响应最快的',
    cpu_first: '选择 CPU 负载最低的',
    memory_first: '选择空闲内存最多的',
    first: '选择第一个',
    last: '选择最后一个',
  }
  return `在 ${service} 的执行器中${routes[form.route] ?? '选择'}`
}
