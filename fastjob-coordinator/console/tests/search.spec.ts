/** Searches that the coordinator ends early, as it does among 100,000 jobs: the answers about jobs are this test's. */
import type { Page, Route } from '@playwright/test'
import { expect, open, settled, test } from './support'

const job = {
  id: 99_000,
  name: 'late-in-the-order',
  service: 'zebra',
  handler: 'run',
  enabled: true,
  revision: 1,
  origin: 'api',
  created_at: '2026-11-01T00:00:00Z',
  updated_at: '2026-11-01T00:00:00Z',
  next_fire_at: null,
  schedule: 'none',
  labels: {},
  children: [],
  alarms: [],
}

interface Stub {
  /** The cursors of the pages that were requested with this text. */
  asked: string[]
  /** How many pages are empty before the one with the job. */
  empty: number
  /** Answers wait for it. */
  gate: Promise<void>
}

/** Answers a search for `text` with so many empty pages, then with the job. */
async function stub(page: Page, text: string, empty: number): Promise<Stub> {
  const state: Stub = { asked: [], empty, gate: Promise.resolve() }
  const answer = async (route: Route) => {
    const query = new URL(route.request().url()).searchParams
    if (query.get('text') !== text) {
      await route.fulfill({ json: { items: [], next_cursor: 'mail/first' } })
      return
    }
    state.asked.push(query.get('cursor') ?? '')
    const at = state.asked.length
    if (at > 1) await state.gate
    const json =
      at <= state.empty ? { items: [], next_cursor: `mail/job-${at}` } : { items: [job], next_cursor: null }
    // The browser may have aborted it.
    await route.fulfill({ json }).catch(() => {})
  }
  await page.route(/\/api\/v1\/jobs\?/, answer)
  return state
}

test('a search of jobs continues behind empty pages, says how far it is, and shows the match', async ({
  page,
}) => {
  const search = await stub(page, 'late', 3)
  let openGate = () => {}
  search.gate = new Promise((resolve) => {
    openGate = resolve
  })
  await open(page, '/jobs?text=late')
  await expect(page.getByText('Searching, as far as mail.job-1: 0 found')).toBeVisible()
  openGate()
  await expect(page.getByRole('link', { name: 'late-in-the-order' })).toBeVisible()
  await expect(page.getByText('Searching')).toHaveCount(0)
  expect(search.asked).toEqual(['', 'mail/job-1', 'mail/job-2', 'mail/job-3'])
})

test('a search of jobs stops at its bound, says so, and goes on by a click', async ({ page }) => {
  const search = await stub(page, 'late', 1_000)
  await open(page, '/jobs?text=late')
  await expect(page.getByText('Nothing found so far')).toBeVisible()
  // On a busy machine, its time ends before its number of requests.
  const last = search.asked.length
  expect(last).toBeLessThanOrEqual(21)
  await expect(page.getByText(`Searched as far as mail.job-${last}: 0 found so far`)).toBeVisible()
  search.empty = last
  await page.getByRole('button', { name: 'Search on' }).click()
  await expect(page.getByRole('link', { name: 'late-in-the-order' })).toBeVisible()
})

test('the palette finds a job that is late in the order, by words and at once by its name', async ({
  page,
  watch,
}) => {
  // No job has the name of what is typed first.
  watch.allow.push(/404/)
  await stub(page, 'order', 3)
  await page.route(/\/api\/v1\/jobs\/[^?]+/, (route) =>
    route.request().url().includes('/jobs/zebra.late-in-the-order?')
      ? route.fulfill({ json: job })
      : route.fulfill({
          status: 404,
          json: { type: 'urn:fastjob:problem:not-found', title: '', detail: '' },
        }),
  )
  await open(page, '/cluster')
  await settled(page)
  await page.keyboard.press('Control+k')
  const dialog = page.getByRole('dialog')
  await expect(dialog.getByRole('combobox')).toBeFocused()
  await page.keyboard.type('order')
  await expect(dialog.getByRole('option', { name: /late-in-the-order zebra/ })).toBeVisible()
  await dialog.getByRole('combobox').fill('zebra.late-in-the-order')
  await expect(dialog.getByRole('option', { name: /late-in-the-order zebra/ })).toBeVisible()
  await page.keyboard.press('Enter')
  await expect(page).toHaveURL(/\/jobs\/zebra\.late-in-the-order/)
})
