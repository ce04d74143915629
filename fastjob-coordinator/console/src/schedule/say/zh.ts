/** Schedules in Chinese. */

import type { DayPart, Meaning, Run, Span, Time } from '../cron/describe'
import type { FieldName, Item } from '../cron/types'
import { clock, spanText } from './clock'
import type { Language } from './language'

const WEEKDAYS = ['日', '一', '二', '三', '四', '五', '六']
const FIELDS: Record<FieldName, string> = {
  second: '秒',
  minute: '分',
  hour: '时',
  day: '日',
  month: '月',
  weekday: '星期',
  year: '年',
}
/** How often something happens in a unit: `每 5 分钟`. */
const EVERY: Record<FieldName, string> = {
  second: '秒',
  minute: '分钟',
  hour: '小时',
  day: '天',
  month: '个月',
  weekday: '天',
  year: '年',
}
const UNITS = { ms: '毫秒', s: '秒', m: '分钟', h: '小时', d: '天' }

const every = (step: number, unit: string) => (step === 1 ? `每${unit}` : `每 ${step} ${unit}`)
const isSingle = ({ from, to }: Run) => from === to

/** `1、15`, `1 至 7`. */
function numbers(runs: Run[]): string {
  return runs.map((run) => (isSingle(run) ? `${run.from}` : `${run.from} 至 ${run.to}`)).join('、')
}

/** `一、三、五`, `一至周四`. */
function week(runs: Run[]): string {
  return runs
    .map((run) => (isSingle(run) ? WEEKDAYS[run.from] : `${WEEKDAYS[run.from]}至周${WEEKDAYS[run.to]}`))
    .join('、')
}

const windows = (spans: Span[]) => spans.map((span) => spanText(span, '–')).join('、')

function timeText(time: Time): string {
  const within = (text: string) =>
    'windows' in time && time.windows.length > 0 ? `${windows(time.windows)} ${text}` : text
  switch (time.kind) {
    case 'at':
      return time.clocks.map(clock).join('、')
    case 'seconds':
      return within(every(time.step, '秒'))
    case 'minutes': {
      const from = time.offset === 0 ? '' : `（从第 ${time.offset} 分起）`
      const second = time.second === 0 ? '' : `第 ${time.second} 秒`
      return within(
        every(time.step, '分钟') +
          from +
          (from || !second ? second : time.step === 1 ? second : `的${second}`),
      )
    }
    case 'hourly': {
      const plain = time.minutes.length === 1 && time.minutes[0] === 0 && time.second === 0
      const first = time.windows.length > 0 && time.minutes.length === 1
      if (plain || first) return within('每小时')
      const second = time.second === 0 ? '' : ` ${time.second} 秒`
      return within(`每小时第 ${time.minutes.join('、')} 分${second}`)
    }
    case 'hours': {
      const second = time.second === 0 ? '' : ` ${time.second} 秒`
      const at =
        time.from || (time.minute === 0 && time.second === 0) ? '' : `（第 ${time.minute} 分${second}）`
      const from = time.from ? `（${clock(time.from)} 起）` : ''
      if (time.from && time.to) return `${clock(time.from)}–${clock(time.to)} ${every(time.step, '小时')}`
      return every(time.step, '小时') + at + from
    }
  }
}

/** `monthly` is `每月`, or the months of the expression. */
function dayPart(part: DayPart, monthly: string, isTime: boolean): string {
  const before = (text: string) => (monthly ? `${monthly} ${text}` : text)
  switch (part.kind) {
    case 'dates':
      return before(`${numbers(part.runs)} 日`)
    case 'everyNth':
      return before(`${part.from} 日起每 ${part.step} 天`)
    case 'last':
      if (part.workday && part.back > 0) return `${monthly}最接近倒数第 ${part.back + 1} 天的工作日`
      if (part.workday) return `${monthly}最后一个工作日`
      return part.back === 0 ? `${monthly}最后一天` : `${monthly}倒数第 ${part.back + 1} 天`
    case 'near':
      return `${monthly}最接近 ${part.day} 日的工作日`
    case 'week': {
      if (part.days.join() === '1,2,3,4,5') return isTime ? '每个工作日' : '工作日'
      if (part.days.join() === '6,0') return isTime ? '每个周末' : '周末'
      return `每周${week(part.runs)}`
    }
    case 'lastOf':
      return `${monthly}最后一个周${WEEKDAYS[part.weekday]}`
    case 'nth':
      return `${monthly}第 ${part.nth} 个周${WEEKDAYS[part.weekday]}`
  }
}

function meaning({ time, days, months, years }: Meaning): string {
  const isTime = time.kind === 'at'
  const inYears = years.length > 0 ? `${numbers(years)} 年` : ''
  const months_ = months.length > 0 ? `${inYears || '每年'} ${numbers(months)} 月` : inYears
  const ofMonth = days.some((part) => part.kind !== 'week')
  const single = months.length === 1 && months[0] !== undefined && isSingle(months[0])
  const monthly = months.length === 0 ? `${inYears}每月` : single ? months_ : `${months_}的`
  const text = days
    .map((part, index) => dayPart(part, index === 0 || part.kind === 'week' ? monthly : '', isTime))
    .join('及')
  const rest = timeText(time)
  const dayText = days.length > 0 ? text : isTime ? '每天' : ''
  const limit = ofMonth || !months_ ? '' : `${months_}${days.length > 0 || isTime ? '的' : ''}`
  const head = limit + dayText
  // `工作日每 10 分钟`, but `每天 02:00`.
  const gap = head && /[0-9]/.test(rest.charAt(0)) ? ' ' : ''
  return head + gap + rest
}

function item(name: FieldName, part: Item): string {
  const say = (value: number) => (name === 'weekday' ? `周${WEEKDAYS[value]}` : String(value))
  switch (part.kind) {
    case 'any':
      return `每${EVERY[name]}`
    case 'value':
      return say(part.value)
    case 'range':
      return `${say(part.from)}–${say(part.to)}`
    case 'step': {
      const least = name === 'day' || name === 'month' ? 1 : 0
      const open = part.to === null && (part.from === null || part.from === least)
      const span =
        part.to === null
          ? `从 ${say(part.from ?? least)} 起`
          : `${say(part.from ?? least)}–${say(part.to)} 内`
      return `${open ? '' : span}每 ${part.step} ${EVERY[name]}`
    }
    case 'last':
    case 'near':
    case 'lastOf':
    case 'nth':
      return dayPart(part, '', true)
  }
}

export const zh: Language = {
  meaning,
  alone: (text) => text,
  field: (name) => FIELDS[name],
  item,
  list: (words) => words.join('、'),
  fieldwise: (parts) =>
    parts
      .map(({ name, text }) => (/[每从周最]/.test(text.charAt(0)) ? text : `${FIELDS[name]} ${text}`))
      .join(' · '),
  span: (parts) => parts.map(({ count, unit }) => `${count} ${UNITS[unit]}`).join(' '),
  none: '手动触发',
  noneInline: '只由手动或 API 触发',
  rate: (span) => `每 ${span}`,
  delay: (span) => `上次结束 ${span}后`,
  once: (at) => `${at} 执行一次`,
  locale: 'zh-CN',
}
