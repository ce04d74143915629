/** How fast pages appear, and how fast they answer to inputs, with a full store. */
import { type BrowserContext, expect, type Page, test } from '@playwright/test'
import { type Interaction, instrument, interaction, type Visit, visited } from './instrument'
import { api, middle, report, setting, strict, url, withProfile } from './support'

interface Item {
  id: number
}
interface Job {
  name: string
  service: string
}

const ROWS = 'main tr[data-key]'
const keys = `[...document.querySelectorAll('${ROWS}')].map((row) => row.dataset.key).join()`

/** The pages: their paths, and what is their first data. */
async function pages(): Promise<[name: string, to: string, content: string][]> {
  const { items: jobs } = await api<{ items: Job[] }>('/jobs?limit=3')
  const { items: tasks } = await api<{ items: Item[] }>('/tasks?limit=30&state=failed')
  const [job, task] = [jobs.at(-1), tasks.at(-1)]
  if (!job || !task) throw new Error('the store is empty')
  return [
    ['overview', '/overview', 'main .metrics:not(:has(.sk))'],
    ['jobs', '/jobs', ROWS],
    ['tasks', '/tasks', ROWS],
    ['job', `/jobs/${job.service}.${job.name}`, 'main .task-tabs'],
    ['task', `/tasks/${task.id}`, 'main .task-tabs'],
  ]
}

/** Opens the page in a new tab, and closes it. */
async function visit(
  context: BrowserContext,
  to: string,
  content: string,
  before?: (page: Page) => Promise<void>,
) {
  const page = await context.newPage()
  strict(page)
  await instrument(page, content)
  await before?.(page)
  await page.goto(`${url}/console${to}`)
  const figures = await visited(page)
  await page.close()
  return figures
}

const summary = (visits: Visit[]) =>
  Object.fromEntries(
    (Object.keys(visits[0] ?? {}) as (keyof Visit)[]).map((name) => [
      name,
      middle(visits.map((one) => one[name])),
    ]),
  )

async function clearCache(page: Page): Promise<void> {
  const devtools = await page.context().newCDPSession(page)
  await devtools.send('Network.clearBrowserCache')
  await devtools.detach()
}

async function paints(visits: number) {
  const figures: Record<string, object> = {}
  for (const [name, to, content] of await pages()) {
    const fresh: Visit[] = []
    for (let nth = 0; nth < visits; nth += 1)
      fresh.push(await withProfile((context) => visit(context, to, content)))
    const [cold, warm] = await withProfile(async (context) => {
      const cold: Visit[] = []
      const warm: Visit[] = []
      // The first visits of a browser also start its processes, and leave compiled scripts in its cache.
      for (let nth = 0; nth < 2; nth += 1) await visit(context, to, content)
      for (let nth = 0; nth < visits; nth += 1) warm.push(await visit(context, to, content))
      for (let nth = 0; nth < visits; nth += 1) cold.push(await visit(context, to, content, clearCache))
      return [cold, warm]
    })
    figures[name] = { new_browser: summary(fresh), cold_cache: summary(cold), warm_cache: summary(warm) }
    console.log(`${name}: measured`)
  }
  return figures
}

const search = (page: Page) => page.locator('.search.tokens input')
const loaded = (page: Page) => page.locator(ROWS).first().waitFor()

/** The interactions: where they begin, and what is done. Each begins with a page that was just opened. */
const INTERACTIONS: Record<string, [to: string, act: (page: Page, nth: number) => Promise<Interaction>]> = {
  'filter of tasks, Enter': [
    '/tasks',
    async (page) => {
      await search(page).pressSequentially('state:failed')
      return differs(page, 'keydown', () => page.keyboard.press('Enter'))
    },
  ],
  'filter of jobs, Enter': [
    '/jobs',
    async (page) => {
      await search(page).pressSequentially('service:mail', { delay: 5 })
      return differs(page, 'keydown', () => page.keyboard.press('Enter'))
    },
  ],
  // Words that are typed without Enter apply after a pause of 350 ms, which is part of `result_ms`.
  'words in jobs, with the pause': [
    '/jobs',
    async (page, nth) => {
      await search(page).focus()
      return differs(page, 'keydown', () => page.keyboard.type(`j${ofFirstService(nth)}`, { delay: 40 }))
    },
  ],
  'a key in the filter of tasks': [
    '/tasks',
    async (page) => {
      await search(page).focus()
      return interaction(
        page,
        'keydown',
        "document.querySelector('.search.tokens input').value === 's'",
        () => page.keyboard.press('s'),
      )
    },
  ],
  'order of tasks': [
    '/tasks',
    async (page) => {
      await page.locator('.tools').getByRole('button').last().click()
      const oldest = page.getByRole('menuitem', { name: /^oldest/i })
      const item = (await oldest.count()) > 0 ? oldest : page.getByText(/^oldest/i).last()
      await item.waitFor()
      return differs(page, 'pointerdown', () => item.click())
    },
  ],
  'next page of tasks': ['/tasks', (page) => more(page)],
  'next page of jobs': ['/jobs', (page) => more(page)],
  'open a task': [
    '/tasks',
    (page, nth) =>
      interaction(
        page,
        'pointerdown',
        "/\\/tasks\\/\\d+$/.test(location.pathname) && document.querySelector('main .task-tabs') !== null",
        () => page.locator(`${ROWS} a[data-row]`).nth(nth).click(),
      ),
  ],
  'open the palette': [
    '/tasks',
    async (page) => {
      // It is loaded while the page rests.
      await page.waitForFunction(() =>
        performance.getEntriesByType('resource').some((one) => /Palette/.test(one.name)),
      )
      return interaction(page, 'keydown', "document.querySelector('.pal-i') !== null", () =>
        page.keyboard.press('Control+k'),
      )
    },
  ],
  'a job in the palette': [
    '/tasks',
    async (page, nth) => {
      await page.waitForFunction(() =>
        performance.getEntriesByType('resource').some((one) => /Palette/.test(one.name)),
      )
      await page.keyboard.press('Control+k')
      await page.locator('.pal-q input').waitFor()
      const name = `j${setting<number>('jobs') - 1 - nth}`
      const there = `[...document.querySelectorAll('.pal-i')].some((one) => one.textContent.startsWith('${name}'))`
      return interaction(page, 'keydown', there, () => page.keyboard.type(name))
    },
  ],
}

/** A job of the first service, of which there are five: a search looks at the jobs in their order, a part of them for a page. */
function ofFirstService(nth: number): number {
  return 5 * (Math.floor(setting<number>('jobs') / 10) + nth) + 1
}

/** Until other rows are there. */
async function differs(
  page: Page,
  on: 'keydown' | 'pointerdown',
  act: () => Promise<void>,
): Promise<Interaction> {
  const before = await page.evaluate(keys)
  const done = `${keys} !== ${JSON.stringify(before)} && document.querySelector('${ROWS}') !== null`
  return interaction(page, on, done, act)
}

async function more(page: Page): Promise<Interaction> {
  const before = await page.locator(ROWS).count()
  const button = page.locator('.pager button')
  await button.scrollIntoViewIfNeeded()
  return interaction(page, 'pointerdown', `document.querySelectorAll('${ROWS}').length > ${before}`, () =>
    button.click(),
  )
}

async function interactions(times: number) {
  const figures: Record<string, object> = {}
  const failed: string[] = []
  await withProfile(async (context) => {
    for (const [name, [to, act]] of Object.entries(INTERACTIONS)) {
      const measured: Interaction[] = []
      // The first is not measured: it compiles scripts and fills caches.
      for (let nth = 0; nth <= times; nth += 1) {
        const page = await context.newPage()
        strict(page)
        await instrument(page)
        await page.goto(`${url}/console${to}`)
        await loaded(page)
        const figure = await act(page, nth).catch((cause) => void failed.push(`${name}: ${cause.message}`))
        await page.close()
        if (!figure) break
        if (nth > 0) measured.push(figure)
      }
      if (measured.length < times) continue
      figures[name] = {
        result_ms: middle(measured.map((one) => one.result_ms)),
        input_ms: middle(measured.map((one) => one.input_ms)),
      }
      console.log(`${name}: measured`)
    }
  })
  return { figures, failed }
}

test('pages at size', async () => {
  const visits = setting<number>('visits')
  const paint = await paints(visits)
  const { figures, failed } = await interactions(visits)
  // What was measured is worth as much without the rest.
  report({ paints: paint, interactions: figures })
  expect(failed).toEqual([])
})
