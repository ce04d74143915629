/** A long log: scrolling through it, and following it while it grows. */
import { type Browser, chromium, type Page, test } from '@playwright/test'
import { framesDuring, Processes, used } from './processes'
import { api, frames, launch, report, rounded, setting, sleep, strict, url, view } from './support'

interface Task {
  id: number
  state: string
}

const BOX = '.log-b'
/** Pixels per frame while scrolling, as with a wheel and as with the handle of the scroll bar. A line has 20. */
const WHEEL = 120
const HANDLE = 1_200
/** How long the wheel is turned. */
const TURNED = 10_000

async function open(browser: Browser, task: number): Promise<Page> {
  const page = await browser.newPage(view)
  strict(page)
  await page.goto(`${url}/console/tasks/${task}`)
  await page.locator(`${BOX} .ln`).first().waitFor()
  return page
}

const start = async (job: string, param: object) =>
  (await api<{ task: number }>(`/jobs/${job}/start`, { method: 'POST', body: JSON.stringify({ param }) }))
    .task

async function ended(id: number): Promise<void> {
  for (;;) {
    const task = await api<Task>(`/tasks/${id}`)
    if (task.state === 'succeeded') return
    if (task.state === 'failed' || task.state === 'stopped') throw new Error(`task ${id} has ${task.state}`)
    await sleep(100)
  }
}

/** Where the log is scrolled to, how long it is, and the lines that are drawn. */
const place = (page: Page) =>
  page.evaluate((box) => {
    const element = document.querySelector(box) as HTMLElement
    return {
      top: element.scrollTop,
      height: element.scrollHeight,
      shown: element.clientHeight,
      drawn: element.querySelectorAll('.ln').length,
    }
  }, BOX)

/** Scrolls from the beginning to the end, some pixels each frame. */
const scrollThrough = (page: Page, pixels: number, most: number) =>
  page.evaluate(
    ([box, pixels, most]) =>
      new Promise<void>((resolve) => {
        const element = document.querySelector(box as string) as HTMLElement
        const until = performance.now() + (most as number)
        const step = () => {
          const end = element.scrollTop + element.clientHeight >= element.scrollHeight - 2
          if (end || performance.now() > until) return resolve()
          element.scrollTop += pixels as number
          requestAnimationFrame(step)
        }
        requestAnimationFrame(step)
      }),
    [BOX, pixels, most] as const,
  )

async function scrolled(browser: Browser, lines: number, most: number) {
  const id = await start('default.lines', { lines, per_s: 0 })
  await ended(id)
  const opened = performance.now()
  const page = await open(browser, id)
  const first = performance.now() - opened
  // All lines are there: one of the last can be shown.
  await page.waitForFunction(
    ([box, least]) => (document.querySelector(box as string)?.scrollHeight ?? 0) >= (least as number),
    [BOX, lines * 20] as const,
    { timeout: 120_000 },
  )
  const whole = performance.now() - opened
  await page.evaluate((box) => {
    const element = document.querySelector(box) as HTMLElement
    element.scrollTop = 0
  }, BOX)
  await sleep(500)
  const processes = await Processes.of(browser, page)
  const measured = async (pixels: number, most: number) => {
    const from = await place(page)
    const before = await processes.take()
    const deltas = await framesDuring(page, () => scrollThrough(page, pixels, most))
    const after = await processes.take()
    const to = await place(page)
    return {
      frames: frames(deltas),
      used: used(before, after),
      lines_passed: Math.round((to.top - from.top) / 20),
      is_at_end: to.top + to.shown >= to.height - 2,
      lines_drawn: to.drawn,
    }
  }
  const wheel = await measured(WHEEL, TURNED)
  const handle = await measured(HANDLE, most)
  await processes.collect()
  const kept = await processes.take()
  await page.close()
  const opening = {
    first_lines_ms: rounded(first),
    whole_log_ms: rounded(whole),
    dom_nodes_after: kept.page.Nodes,
    heap_mib_after: rounded((kept.page.JSHeapUsedSize ?? 0) / 2 ** 20),
  }
  return { opening, wheel, handle }
}

async function followed(browser: Browser, perSecond: number, seconds: number, lines: number) {
  // Followed at the end of a log that is already long.
  const total = lines + perSecond * (seconds + 60)
  const id = await start('default.lines', { lines: total, at_once: lines, per_s: perSecond })
  const page = await open(browser, id)
  await page.waitForFunction(
    ([box, least]) => (document.querySelector(box as string)?.scrollHeight ?? 0) >= (least as number),
    [BOX, lines * 20] as const,
    { timeout: 120_000 },
  )
  await sleep(3_000)
  const at = await place(page)
  if (at.top + at.shown < at.height - 100) throw new Error('the page does not follow the log')
  const processes = await Processes.of(browser, page)
  await processes.collect()
  const before = await processes.take()
  const heap = [rounded((before.page.JSHeapUsedSize ?? 0) / 2 ** 20)]
  const nodes = [before.page.Nodes]
  const deltas: number[] = []
  const steps = 6
  for (let step = 0; step < steps; step += 1) {
    deltas.push(...(await framesDuring(page, () => sleep((seconds * 1000) / steps))))
    await processes.collect()
    const now = await processes.take()
    heap.push(rounded((now.page.JSHeapUsedSize ?? 0) / 2 ** 20))
    nodes.push(now.page.Nodes)
  }
  const after = await processes.take()
  const end = await place(page)
  await api(`/tasks/${id}/stop`, { method: 'POST', body: '{}' })
  await page.close()
  return {
    lines_per_s: rounded((end.height - at.height) / 20 / ((after.at - before.at) / 1000)),
    still_follows: end.top + end.shown >= end.height - 100,
    frames: frames(deltas),
    used: used(before, after),
    heap_mib: heap,
    dom_nodes: nodes,
    lines_drawn: end.drawn,
  }
}

test('a long log', async () => {
  const lines = setting<number>('lines')
  const browser = await chromium.launch(launch)
  try {
    report({
      ...(await scrolled(browser, lines, setting<number>('seconds') * 1000)),
      followed: await followed(browser, setting<number>('per_s'), setting<number>('seconds'), lines),
    })
  } finally {
    await browser.close()
  }
})
