/** When the attempts of a task start, if each fails at once: what the drawing shows. */

import { parseDuration } from '../../../schedule/duration'
import { DEFAULTS, type Form } from './form'

export interface Retries {
  /** The delays in milliseconds, in order, those in the middle left out if there are many. */
  delays: number[]
  /** How many delays are left out after the first ones. */
  hidden: number
  /** All of them together. */
  total: number
  /** The largest share of a delay that is added or taken off. */
  jitter: number
}

const MOST_DRAWN = 6
const MOST = 100

type Fields = Pick<Form, 'retryCount' | 'retryDelay' | 'retryFactor' | 'retryMaxDelay' | 'retryJitter'>

/** Null if a field is not valid. */
export function retries(form: Fields): Retries | null {
  const count = Number(form.retryCount.trim() || DEFAULTS.retryCount)
  const factor = Number(form.retryFactor.trim() || DEFAULTS.retryFactor)
  const jitter = Number(form.retryJitter.trim() || DEFAULTS.retryJitter)
  const delay = parseDuration(form.retryDelay.trim() || DEFAULTS.retryDelay)
  const longest = parseDuration(form.retryMaxDelay.trim() || DEFAULTS.retryMaxDelay)
  if (!Number.isInteger(count) || count < 0 || count > MOST || delay === null || longest === null) return null
  if (!(factor >= 1 && factor <= 100) || !(jitter >= 0 && jitter <= 1)) return null
  const all = Array.from({ length: count }, (_, step) =>
    Math.round(Math.min(delay * factor ** step, longest)),
  )
  const hidden = Math.max(0, count - MOST_DRAWN)
  return {
    delays: hidden > 0 ? [...all.slice(0, MOST_DRAWN - 1), ...all.slice(-1)] : all,
    hidden,
    total: all.reduce((sum, one) => sum + one, 0),
    jitter,
  }
}

/** Where the attempts are drawn, from 0 to 1: far apart after a long delay, but never on top of each other. */
export function places(delays: number[]): number[] {
  const weights = delays.map((delay) => 1 + Math.log10(1 + delay / 1000))
  const sum = weights.reduce((all, one) => all + one, 0) || 1
  let at = 0
  return [0, ...weights.map((weight) => (at += weight / sum))]
}
