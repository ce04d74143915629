/** How much of a core the processes of a browser use, by the kernel's count, and what its page says of itself. */
import fs from 'node:fs'
import type { Browser, CDPSession, Page } from '@playwright/test'

/** Linux counts processor time in ticks of 10 ms. */
const TICK = 0.01

interface Taken {
  at: number
  /** Seconds of processor time by process. */
  processes: Map<number, { type: string; cpu: number; main: number; mib: number }>
  page: Record<string, number>
}

/** Seconds of processor time of a process or a thread. */
function cpu(stat: string): number {
  const text = fs.readFileSync(stat, 'utf8')
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  // The name in parentheses is field 2; user and system time are fields 14 and 15.
  return (Number(fields[11]) + Number(fields[12])) * TICK
}

function residentMib(process: number): number {
  const line = /^VmRSS:\s+(\d+)/m.exec(fs.readFileSync(`/proc/${process}/status`, 'utf8'))
  return Number(line?.[1] ?? 0) / 1024
}

/** Watches a page and the processes of its browser. */
export class Processes {
  private constructor(
    private readonly browser: CDPSession,
    private readonly page: CDPSession,
  ) {}

  static async of(browser: Browser, page: Page): Promise<Processes> {
    const devtools = await page.context().newCDPSession(page)
    await devtools.send('Performance.enable', { timeDomain: 'threadTicks' })
    return new Processes(await browser.newBrowserCDPSession(), devtools)
  }

  /** What has been used so far. */
  async take(): Promise<Taken> {
    const { processInfo } = await this.browser.send('SystemInfo.getProcessInfo')
    const { metrics } = await this.page.send('Performance.getMetrics')
    const processes: Taken['processes'] = new Map()
    for (const { id, type } of processInfo) {
      try {
        const taken = {
          type,
          cpu: cpu(`/proc/${id}/stat`),
          main: cpu(`/proc/${id}/task/${id}/stat`),
          mib: residentMib(id),
        }
        processes.set(id, taken)
      } catch {
        // It has ended meanwhile, as helpers do.
      }
    }
    return {
      at: performance.now(),
      processes,
      page: Object.fromEntries(metrics.map((one) => [one.name, one.value])),
    }
  }

  /** Collects garbage, so that the heap is what is really kept. */
  async collect(): Promise<void> {
    await this.page.send('HeapProfiler.collectGarbage')
  }
}

/** What was used between two readings, as shares of a core. The renderer of the page is the one that worked most. */
export function used(from: Taken, to: Taken) {
  const seconds = (to.at - from.at) / 1000
  const shares = [...to.processes].map(([id, { type, cpu, main, mib }]) => {
    const before = from.processes.get(id)
    const share = (now: number, then: number | undefined) => (now - (then ?? 0)) / seconds
    return { type, share: share(cpu, before?.cpu), main: share(main, before?.main), mib }
  })
  const renderers = shares.filter((one) => one.type === 'renderer').sort((a, b) => b.share - a.share)
  const [renderer] = renderers
  if (!renderer) throw new Error('the browser has no renderer')
  const sum = (type: string) =>
    shares.filter((one) => one.type === type).reduce((all, one) => all + one.share, 0)
  const delta = (name: string) => ((to.page[name] ?? 0) - (from.page[name] ?? 0)) / seconds
  const exact = (value: number) => Math.round(value * 1000) / 1000
  return {
    seconds: exact(seconds),
    renderer: exact(renderer.share),
    renderer_main_thread: exact(renderer.main),
    browser_process: exact(sum('browser')),
    gpu_process: exact(sum('GPU')),
    whole_browser: exact(shares.reduce((all, one) => all + one.share, 0)),
    // By the browser's own count, of the main thread alone.
    tasks: exact(delta('TaskDuration')),
    scripts: exact(delta('ScriptDuration')),
    layout: exact(delta('LayoutDuration')),
    styles: exact(delta('RecalcStyleDuration')),
    renderer_mib: Math.round(renderer.mib),
    heap_mib: Math.round(((to.page.JSHeapUsedSize ?? 0) / 2 ** 20) * 10) / 10,
    dom_nodes: to.page.Nodes ?? 0,
    listeners: to.page.JSEventListeners ?? 0,
  }
}

/** The times between the frames of a page while `during` lasts. */
export async function framesDuring(page: Page, during: () => Promise<void>): Promise<number[]> {
  await page.evaluate(() => {
    const recorder = { on: true, deltas: [] as number[] }
    Object.assign(window, { recorder })
    let before: number | null = null
    const frame = (at: number) => {
      if (before !== null) recorder.deltas.push(at - before)
      before = at
      if (recorder.on) requestAnimationFrame(frame)
    }
    requestAnimationFrame(frame)
  })
  await during()
  return await page.evaluate(() => {
    const { recorder } = window as unknown as { recorder: { on: boolean; deltas: number[] } }
    recorder.on = false
    return recorder.deltas
  })
}
