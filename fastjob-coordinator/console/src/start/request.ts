/** What the dialog asks of the coordinator. */

import type { Json, RerunRequest, StartRequest } from '../api/types'
import { compact } from '../pages/editor/model/json'
import { parseDuration } from '../schedule/duration'
import { toInstant } from '../schedule/zone'

export type When = 'now' | 'delay' | 'at'

export interface StartForm {
  /** Null until it is edited. */
  param: string | null
  when: When
  delay: string
  /** As an input of the kind `datetime-local` has it. */
  at: string
  zone: string
  executor: string | null
  key: string
  failedOnly: boolean
  again: boolean
}

export const emptyStart = (zone: string): StartForm => ({
  param: null,
  when: 'now',
  delay: '10m',
  at: '',
  zone,
  executor: null,
  key: '',
  failedOnly: false,
  again: false,
})

/** A param as it is compared and sent; text stays text. */
export const sent = (param: string): string => compact(param.trim() === '' ? '' : param)

/** The param to send: nothing if it is what the task has anyway. An empty text takes the own one away. */
function param(typed: string, own: string): { param?: Json } {
  return sent(typed) === sent(own) ? {} : { param: sent(typed) }
}

export function startRequest(form: StartForm, typed: string, own: string): StartRequest {
  const at = form.when === 'at' ? toInstant(form.at, form.zone) : null
  return {
    ...param(typed, own),
    ...(form.executor && { executor: form.executor }),
    ...(form.when === 'delay' && { delay: form.delay.trim() }),
    ...(at !== null && { at }),
    ...(form.key.trim() !== '' && { key: form.key.trim() }),
  }
}

export function rerunRequest(form: StartForm, typed: string, own: string): RerunRequest {
  return {
    ...param(typed, own),
    ...(form.failedOnly && { shards: 'failed' }),
    ...(form.executor && !form.failedOnly && { executor: form.executor }),
    ...(form.again ? { again: true } : form.key.trim() !== '' && { key: form.key.trim() }),
  }
}

/** The request with a key of the dialog. A task has one rerun for each key, so `again` is not needed with one. */
export function withKey<Request extends { again?: boolean; key?: string }>(request: Request, key: string) {
  const { again: _again, ...rest } = request
  return { ...rest, key }
}

export type WhenProblem = 'wrongDelay' | 'wrongAt'

export function whenProblem(form: StartForm): WhenProblem | null {
  if (form.when === 'delay' && parseDuration(form.delay) === null) return 'wrongDelay'
  if (form.when === 'at' && toInstant(form.at, form.zone) === null) return 'wrongAt'
  return null
}

/** When a start that is planned is due; null for one that starts now. */
export function dueAt(form: StartForm): number | null {
  if (form.when === 'delay') return Date.now() + (parseDuration(form.delay) ?? 0)
  const at = form.when === 'at' ? toInstant(form.at, form.zone) : null
  return at === null ? null : Date.parse(at)
}
