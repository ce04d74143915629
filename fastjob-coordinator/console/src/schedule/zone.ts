/** Wall clocks and instants, with the time zones of the browser. */

export interface Wall {
  year: number
  month: number
  day: number
  hour: number
  minute: number
  second: number
  /** From 0, Sunday. */
  weekday: number
}

const formats = new Map<string, Intl.DateTimeFormat>()

function format(zone: string): Intl.DateTimeFormat {
  let found = formats.get(zone)
  if (!found) {
    const digits = { year: 'numeric', month: '2-digit', day: '2-digit' } as const
    const clock = { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' } as const
    found = new Intl.DateTimeFormat('en-US', { timeZone: zone, ...digits, ...clock })
    formats.set(zone, found)
  }
  return found
}

export function isZone(zone: string): boolean {
  try {
    format(zone)
    return true
  } catch {
    return false
  }
}

/** What the wall clock of a zone shows. */
export function wallAt(at: number, zone: string): Wall {
  const parts = format(isZone(zone) ? zone : 'UTC').formatToParts(at)
  const part = (type: string) => Number(parts.find((one) => one.type === type)?.value ?? 0)
  const wall = { year: part('year'), month: part('month'), day: part('day') }
  const weekday = new Date(Date.UTC(wall.year, wall.month - 1, wall.day)).getUTCDay()
  return { ...wall, hour: part('hour'), minute: part('minute'), second: part('second'), weekday }
}

/** How far the wall clock is ahead of UTC, in milliseconds. */
export function offsetAt(at: number, zone: string): number {
  const { year, month, day, hour, minute, second } = wallAt(at, zone)
  return Date.UTC(year, month - 1, day, hour, minute, second) - Math.floor(at / 1000) * 1000
}

const two = (value: number) => String(value).padStart(2, '0')

/** An instant as an input of the kind `datetime-local` has it; empty if the text is not an instant. */
export function toLocal(instant: string, zone: string): string {
  const at = Date.parse(instant)
  if (Number.isNaN(at)) return ''
  const { year, month, day, hour, minute, second } = wallAt(at, zone)
  return `${String(year).padStart(4, '0')}-${two(month)}-${two(day)}T${two(hour)}:${two(minute)}:${two(second)}`
}

/** The instant at which the wall clock of a zone shows this: the first one if there are two, and the first
 * one after a gap if there is none. Null if the text is not a time. */
export function toInstant(local: string, zone: string): string | null {
  const match = /^(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d)(?::(\d\d))?$/.exec(local.trim())
  if (!match) return null
  const [year, month, day, hour, minute, second] = match
    .slice(1)
    .map((digits) => Number(digits ?? 0)) as number[]
  const asUtc = Date.UTC(year ?? 0, (month ?? 1) - 1, day, hour, minute, second)
  if (Number.isNaN(asUtc)) return null
  const day_ = 86_400_000
  const candidates = [offsetAt(asUtc - day_, zone), offsetAt(asUtc + day_, zone)]
    .map((offset) => asUtc - offset)
    .sort((a, b) => a - b)
  const exact = candidates.find((at) => at + offsetAt(at, zone) === asUtc)
  // In a gap, the offset before it gives the time as long after the gap as it would be into it.
  const at = exact ?? candidates[candidates.length - 1] ?? asUtc
  return new Date(at).toISOString().replace('.000Z', 'Z')
}

/** Whether the clocks of a zone change within a year. */
export function changesClocks(zone: string, now: number): boolean {
  const month = 30 * 86_400_000
  const first = offsetAt(now, zone)
  for (let index = 1; index <= 12; index += 1) {
    if (offsetAt(now + index * month, zone) !== first) return true
  }
  return false
}

export const browserZone = (): string => Intl.DateTimeFormat().resolvedOptions().timeZone || 'UTC'

/** All zones that the browser knows, those first that are likely. */
export function zones(likely: string[] = []): string[] {
  const all = Intl.supportedValuesOf('timeZone')
  const first = [...new Set(['UTC', browserZone(), ...likely])].filter((zone) => zone !== '' && isZone(zone))
  return [...first, ...all.filter((zone) => !first.includes(zone))]
}

/** `Shanghai` of `Asia/Shanghai`. */
export function cityOf(zone: string): string {
  return zone.slice(zone.lastIndexOf('/') + 1).replaceAll('_', ' ')
}

/** What people type for the zones that they use most. */
const ALIASES: Record<string, string> = {
  'Asia/Shanghai': '上海 北京 中国 beijing china',
  'Asia/Hong_Kong': '香港',
  'Asia/Taipei': '台北',
  'Asia/Singapore': '新加坡',
  'Asia/Tokyo': '东京 日本 japan',
  'Asia/Seoul': '首尔 韩国 korea',
  'Asia/Kolkata': '印度 india delhi mumbai',
  'Asia/Calcutta': '印度 india delhi mumbai',
  'Europe/London': '伦敦 英国 uk',
  'Europe/Paris': '巴黎 法国',
  'Europe/Berlin': '柏林 德国 germany',
  'America/New_York': '纽约 est edt eastern',
  'America/Chicago': '芝加哥 cst cdt central',
  'America/Los_Angeles': '洛杉矶 pst pdt pacific san francisco',
  'Australia/Sydney': '悉尼',
  UTC: '协调世界时 gmt',
}

/** The zones that a search text finds. */
export function findZones(all: string[], text: string): string[] {
  const words = text.trim().toLowerCase().replaceAll('_', ' ').split(/\s+/).filter(Boolean)
  if (words.length === 0) return all
  return all.filter((zone) => {
    const whole = `${zone} ${ALIASES[zone] ?? ''}`.toLowerCase().replaceAll('_', ' ')
    return words.every((word) => whole.includes(word))
  })
}
