/** What runs inside the page: when something is painted, and how long the browser says that inputs took. */
import type { BrowserContext, Page } from '@playwright/test'

interface Instrument {
  /** When the first content of the page was painted. */
  content: number | null
  /** Inputs that the browser took at least 16 ms for, until the next paint. */
  inputs: { name: string; took: number; at: number }[]
  /** The watched input, and when its result was painted. */
  from: number | null
  painted: number | null
  watch: (on: string, done: string) => void
}
declare global {
  interface Window {
    figures: Instrument
  }
}

/** Installs it before the scripts of the page. `content` selects what the page shows as its first data. */
export async function instrument(to: BrowserContext | Page, content = ''): Promise<void> {
  await to.addInitScript((content) => {
    const afterPaint = (then: (at: number) => void) =>
      requestAnimationFrame(() => {
        // A message that is sent in a frame arrives when that frame has been painted.
        const { port1, port2 } = new MessageChannel()
        port1.onmessage = () => then(performance.now())
        port2.postMessage(0)
      })
    const whenThere = (is: () => boolean, then: (at: number) => void) => {
      const look = () => {
        if (!is()) return false
        afterPaint(then)
        return true
      }
      if (look()) return
      const observer = new MutationObserver(() => {
        if (look()) observer.disconnect()
      })
      observer.observe(document, { subtree: true, childList: true, attributes: true, characterData: true })
    }
    const figures: Instrument = {
      content: null,
      inputs: [],
      from: null,
      painted: null,
      watch(on, done) {
        figures.from = null
        figures.painted = null
        figures.inputs = []
        // The last input counts: of a word that is typed, its last key.
        const note = (event: Event) => {
          figures.from = event.timeStamp
        }
        addEventListener(on, note, { capture: true })
        const is = new Function(`return (${done})`) as () => boolean
        whenThere(
          () => figures.from !== null && is(),
          (at) => {
            removeEventListener(on, note, { capture: true })
            figures.painted = at
          },
        )
      },
    }
    window.figures = figures
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries() as PerformanceEventTiming[])
        figures.inputs.push({ name: entry.name, took: entry.duration, at: entry.startTime })
    }).observe({ type: 'event', durationThreshold: 16 } as PerformanceObserverInit)
    if (content)
      whenThere(
        () => document.querySelector(content) !== null,
        (at) => {
          figures.content = at
        },
      )
  }, content)
}

/** Which events are the input that a person notices. */
const INPUTS = /^(keydown|keypress|keyup|pointerdown|pointerup|click)$/

export interface Interaction {
  /** From the input to the paint of its result. */
  result_ms: number
  /** The browser's own figure: from an input to the next paint, the longest. Below 16 ms it reports none. */
  input_ms: number
}

/** Does something, and measures from its last input (`keydown`, `pointerdown`) until `done`, an expression in the page, is
 * true and painted. */
export async function interaction(
  page: Page,
  on: 'keydown' | 'pointerdown',
  done: string,
  act: () => Promise<void>,
): Promise<Interaction> {
  await page.evaluate(([on, done]) => window.figures.watch(on as string, done as string), [on, done])
  await act()
  const within = { timeout: 20_000, polling: 50 }
  await page.waitForFunction(() => window.figures.painted !== null, undefined, within)
  // The browser reports inputs with a delay.
  await page.evaluate(() => new Promise((resolve) => setTimeout(resolve, 200)))
  const { from, painted, inputs } = await page.evaluate(() => window.figures)
  const noticed = inputs.filter((one) => INPUTS.test(one.name)).map((one) => one.took)
  return { result_ms: (painted ?? 0) - (from ?? 0), input_ms: Math.max(16, ...noticed) }
}

export interface Visit {
  /** The last byte of the page itself. */
  page_ms: number
  first_contentful_paint_ms: number
  /** The first data is painted. */
  content_ms: number
  /** What was read over the network until then, without caches. */
  requests: number
  kib: number
}

/** Reads the figures of a visit, when its content is there. */
export async function visited(page: Page): Promise<Visit> {
  const within = { timeout: 120_000, polling: 50 }
  await page.waitForFunction(() => window.figures.content !== null, undefined, within)
  return await page.evaluate(() => {
    const [navigation] = performance.getEntriesByType('navigation') as PerformanceNavigationTiming[]
    const [paint] = performance.getEntriesByName('first-contentful-paint')
    const content = window.figures.content ?? 0
    const read = performance.getEntriesByType('resource') as PerformanceResourceTiming[]
    const before = read.filter((one) => one.startTime < content && one.transferSize > 0)
    return {
      page_ms: navigation?.responseEnd ?? 0,
      first_contentful_paint_ms: paint?.startTime ?? 0,
      content_ms: content,
      requests: before.length + 1,
      kib: before.reduce((sum, one) => sum + one.transferSize, navigation?.transferSize ?? 0) / 1024,
    }
  })
}
