import type { Clock, Span } from '../cron/describe'

const two = (value: number) => String(value).padStart(2, '0')

/** `02:00`, with seconds if there are any: `02:00:30`. */
export function clock({ hour, minute, second }: Clock): string {
  return `${two(hour)}:${two(minute)}${second === 0 ? '' : `:${two(second)}`}`
}

/** The end of a span: its last minute, or its last second. */
export function end({ hour, minute, second }: Clock): string {
  return `${two(hour)}:${two(minute)}${second === 0 || second === 59 ? '' : `:${two(second)}`}`
}

export const spanText = ({ from, to }: Span, between: string): string => `${clock(from)}${between}${end(to)}`

/** `:15`, or `:15:30`. */
export const minuteText = (minute: number, second: number): string =>
  `:${two(minute)}${second === 0 ? '' : `:${two(second)}`}`
