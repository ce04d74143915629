/** Stands between a page and a coordinator: passes everything on, but writes the event stream itself, as a coordinator
 * would with more tasks per second than this machine can run. */
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { url } from './support'

/** A coordinator sends counts at most twice a second, and what has changed once a second, whatever happens. */
const COUNTS = 500
const CHANGED = 1000

export interface Feeder {
  url: string
  /** Events that were sent. */
  sent: () => number
  close: () => Promise<void>
}

/** Serves the coordinator of the bench with the events of this many tasks per second. */
export async function feeder(rate: number): Promise<Feeder> {
  const to = new URL(url)
  const open = new Set<() => void>()
  let sent = 0
  const events = (response: http.ServerResponse) => {
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' })
    const started = Date.now()
    let begun = 0
    const send = (event: string, data: object) => {
      sent += 1
      response.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`)
    }
    const counts = () => {
      begun += 1
      const ended = Math.round(((Date.now() - started) / 1000) * rate)
      send('counts', {
        at: new Date().toISOString(),
        queued: (begun * 7919) % rate,
        running: (begun * 104_729) % Math.ceil(rate / 5),
        ended,
        failed: Math.floor(ended / 50),
        executors: 1,
        alarms: 0,
      })
    }
    counts()
    const timers = [
      setInterval(counts, COUNTS),
      setInterval(() => send('changed', { tasks: true, jobs: false, executors: true }), CHANGED),
    ]
    const end = () => {
      timers.forEach(clearInterval)
      open.delete(end)
      response.end()
    }
    open.add(end)
    response.on('close', end)
  }
  const server = http.createServer((request, response) => {
    if (request.url?.startsWith('/api/v1/events')) return events(response)
    const { hostname, port } = to
    const { method, headers, url: path } = request
    const passed = http.request({ hostname, port, method, path, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(response)
    })
    passed.on('error', () => response.destroy())
    request.pipe(passed)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    sent: () => sent,
    close: () =>
      new Promise((resolve) => {
        for (const end of open) end()
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
