import type { InvalidField, ProblemDetails, SessionView } from './types'

/**
 * The prefix under which the coordinator serves everything, without a slash at its end: `` or `/sub/path`. The page has the
 * relative way there, so that the coordinator does not have to know under which path a proxy serves it.
 */
export const BASE = new URL(
  `${meta('fastjob-base') || '/'}/`.replace(/\/+$/, '/'),
  location.href,
).pathname.replace(/\/+$/, '')
export const NONCE = meta('fastjob-nonce')
const API = `${BASE}/api/v1`
const SESSION = `${BASE}/console/session`

function meta(name: string): string {
  const content = document.querySelector<HTMLMetaElement>(`meta[name="${name}"]`)?.content ?? ''
  return content.startsWith('%') ? '' : content
}

/** Why a request failed: the coordinator's own words, or that it did not answer. */
export class ApiError extends Error {
  override readonly name = 'ApiError'

  constructor(
    /** The HTTP status; 0 if no answer arrived. */
    readonly status: number,
    /** The end of the problem's `type`, such as `over-quota`; `network` without an answer. */
    readonly kind: string,
    readonly title: string,
    readonly detail: string,
    readonly fields: InvalidField[] = [],
  ) {
    super(detail || title || `HTTP ${status}`)
  }

  /** What is wrong with a field of the request, by its path. */
  field(path: string): string | undefined {
    return this.fields.find((field) => field.field === path)?.message
  }

  /** A coordinator that does not have this call yet, or a thing that does not exist. */
  get missing(): boolean {
    return this.status === 404 || this.status === 405 || this.status === 501
  }
}

/** Whether the coordinator is too old for a call: its path is unknown, as opposed to a thing not found. */
export function isUnknownCall(error: unknown): boolean {
  return (
    error instanceof ApiError &&
    (error.kind === 'unknown-path' ||
      error.kind === 'wrong-method' ||
      (error.status === 404 && error.kind === ''))
  )
}

type Value = string | number | boolean | null | undefined
export type Query = Record<string, Value | readonly (string | number)[]>

export interface CallOptions {
  query?: object
  body?: unknown
  signal?: AbortSignal
  /** The `ETag` that the thing must still have. */
  ifMatch?: string
}

/** An answer with the `ETag` that a later save gives back. */
export interface Tagged<T> {
  data: T
  etag: string | null
}

export function queryText(query: object | undefined): string {
  const params = new URLSearchParams()
  for (const [name, value] of Object.entries(query ?? {}) as [string, Query[string]][]) {
    for (const one of Array.isArray(value) ? value : [value as Value]) {
      if (one !== undefined && one !== null && one !== '') params.append(name, String(one))
    }
  }
  const text = params.toString()
  return text ? `?${text}` : ''
}

/** The address of a call, for downloads and for the event stream. */
export function apiUrl(path: string, query?: object): string {
  return `${API}${path}${queryText(query)}`
}

declare global {
  var fastjobSession: Promise<Response | null> | undefined
}

const onSignedOut = new Set<() => void>()
/** Calls back whenever a request is rejected because there is no session. */
export function whenSignedOut(call: () => void): () => void {
  onSignedOut.add(call)
  return () => onSignedOut.delete(call)
}

async function problem(response: Response): Promise<ApiError> {
  const text = await response.text().catch(() => '')
  let details: Partial<ProblemDetails> = {}
  try {
    const parsed: unknown = JSON.parse(text)
    if (parsed !== null && typeof parsed === 'object') details = parsed as Partial<ProblemDetails>
  } catch {
    details = {
      detail: response.headers.get('content-type')?.startsWith('text/plain') ? text.slice(0, 500) : '',
    }
  }
  const kind = (details.type ?? '').replace(/^urn:fastjob:problem:/, '').replace(/^about:blank$/, '')
  return new ApiError(
    response.status,
    kind,
    details.title ?? response.statusText,
    details.detail ?? '',
    details.problems ?? details.errors ?? [],
  )
}

async function send(url: string, init: RequestInit): Promise<Response> {
  let response: Response
  try {
    response = await fetch(url, { credentials: 'same-origin', ...init })
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error
    throw new ApiError(0, 'network', '', '')
  }
  if (response.ok) return response
  const failed = await problem(response)
  if (failed.status === 401) for (const call of onSignedOut) call()
  throw failed
}

/** One call of the REST API, with its `ETag`. */
export async function callTagged<T>(
  method: string,
  path: string,
  options: CallOptions = {},
): Promise<Tagged<T>> {
  const headers: Record<string, string> = { accept: 'application/json' }
  if (options.body !== undefined) headers['content-type'] = 'application/json'
  if (options.ifMatch) headers['if-match'] = options.ifMatch
  const response = await send(apiUrl(path, options.query), {
    method,
    headers,
    ...(options.body !== undefined && { body: JSON.stringify(options.body) }),
    ...(options.signal && { signal: options.signal }),
  })
  const text = response.status === 204 ? '' : await response.text()
  return { data: (text ? JSON.parse(text) : undefined) as T, etag: response.headers.get('etag') }
}

export async function call<T>(method: string, path: string, options: CallOptions = {}): Promise<T> {
  return (await callTagged<T>(method, path, options)).data
}

export const get = <T>(path: string, query?: object, signal?: AbortSignal) =>
  call<T>('GET', path, { ...(query && { query }), ...(signal && { signal }) })
export const post = <T>(path: string, body: unknown = {}) => call<T>('POST', path, { body })

/** A name in a path: `service.name` of a job, or the name of an executor. */
export const seg = encodeURIComponent

export const session = {
  /** Whether a token is needed. A coordinator without sessions needs none, or the call itself is rejected. */
  async read(): Promise<SessionView> {
    // boot.js has asked while the scripts were loading. That answer is for the first call only.
    const early = globalThis.fastjobSession
    globalThis.fastjobSession = undefined
    const response = await (early ?? fetch(SESSION, { credentials: 'same-origin' }).catch(() => null))
    if (!response?.ok || !response.headers.get('content-type')?.includes('json')) {
      return { needed: false, signed_in: false }
    }
    return (await response.json()) as SessionView
  },
  async signIn(token: string): Promise<void> {
    await send(SESSION, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ token }),
    })
  },
  async signOut(): Promise<void> {
    await send(SESSION, { method: 'DELETE' })
  },
}
