/** A reader of `text/event-stream` over fetch, which unlike EventSource knows the status of a rejected request. */

export interface ServerEvent {
  event: string
  data: string
}

/** Splits text as it arrives into events. Comments and unknown fields are ignored. */
export function eventParser(emit: (event: ServerEvent) => void): (chunk: string) => void {
  let rest = ''
  let event = ''
  let data: string[] = []
  return (chunk) => {
    rest += chunk
    const lines = rest.split(/\r\n|\n|\r(?!$)/)
    rest = lines.pop() ?? ''
    for (const line of lines) {
      if (line === '') {
        if (data.length > 0) emit({ event: event || 'message', data: data.join('\n') })
        event = ''
        data = []
        continue
      }
      const colon = line.indexOf(':')
      if (colon === 0) continue
      const field = colon < 0 ? line : line.slice(0, colon)
      const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '')
      if (field === 'event') event = value
      else if (field === 'data') data.push(value)
    }
  }
}

export class StreamRejected extends Error {
  constructor(readonly status: number) {
    super(`the event stream was rejected with ${status}`)
  }
}

/** Reads a stream until it ends. Rejects if it is refused or cut, and if nothing arrives for `silence` ms. */
export async function readEvents(
  url: string,
  signal: AbortSignal,
  opened: () => void,
  emit: (event: ServerEvent) => void,
  silence = 40_000,
): Promise<void> {
  const abort = new AbortController()
  const stop = () => abort.abort()
  signal.addEventListener('abort', stop)
  let timer = setTimeout(stop, silence)
  try {
    const response = await fetch(url, {
      headers: { accept: 'text/event-stream' },
      credentials: 'same-origin',
      signal: abort.signal,
    })
    if (!response.ok || !response.body || !response.headers.get('content-type')?.includes('event-stream')) {
      throw new StreamRejected(response.ok ? 404 : response.status)
    }
    opened()
    const parse = eventParser(emit)
    const decoder = new TextDecoder()
    const reader = response.body.getReader()
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return
      clearTimeout(timer)
      timer = setTimeout(stop, silence)
      parse(decoder.decode(value, { stream: true }))
    }
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', stop)
    abort.abort()
  }
}
