/** What people do with tasks: find, read, stop, run again. By role and name only. */
import { api, expect, open, settled, test } from './support'

interface Task {
  id: number
  state: string
}

const running = async () =>
  (await api<{ items: Task[] }>('/tasks?limit=1&state=running&job=sync.one-push-at-a-time')).items[0]
const start = async (job: string, body: object = {}) =>
  (await api<{ task: number }>(`/jobs/${job}/start`, { method: 'POST', body: JSON.stringify(body) })).task

test('filters apply at once, and the address holds them, also after "back" and a reload', async ({
  page,
}) => {
  await open(page, '/tasks')
  await settled(page)
  await page.keyboard.press('/')
  await page.keyboard.type('state:failed ')
  await page.keyboard.press('Enter')
  await expect(page).toHaveURL(/state=failed/)
  await expect(page.getByRole('row').nth(1)).toContainText('Failed')
  await page.getByRole('row').nth(1).getByRole('link').first().click()
  await expect(page).toHaveURL(/\/tasks\/\d+/)
  await page.goBack()
  await expect(page).toHaveURL(/state=failed/)
  await page.reload()
  await expect(page.getByRole('button', { name: 'Remove state:failed' })).toBeVisible()
  await expect(page.getByRole('row').nth(1)).toContainText('Failed')
})

test('a task that runs is stopped from its page, and the page shows each state by itself', async ({
  page,
}) => {
  const id = await start('sync.one-push-at-a-time')
  await expect.poll(async () => (await running())?.id).toBe(id)
  await open(page, `/tasks/${id}`)
  await expect(page.getByRole('status').filter({ hasText: 'Running' }).first()).toBeVisible()
  await page.getByRole('button', { name: 'Stop', exact: true }).click()
  const dialog = page.getByRole('dialog')
  await expect(dialog).toContainText(`one-push-at-a-time ${id}`)
  await dialog.getByRole('button', { name: 'Stop the task' }).click()
  await expect(page.getByRole('status').filter({ hasText: 'Stopped' }).first()).toBeVisible()
  await expect(page.getByRole('button', { name: 'Run again', exact: true })).toBeVisible()
})

test('a failed task says why first, and runs again as a task that names it', async ({ page }) => {
  const failed = (await api<{ items: Task[] }>('/tasks?limit=1&state=failed')).items[0]
  await open(page, `/tasks/${failed?.id}`)
  await expect(page.getByRole('alert').first()).toContainText(/failed/i)
  await page.getByRole('button', { name: 'Run again', exact: true }).click()
  const link = page.getByRole('status').getByRole('link', { name: 'Open' })
  await link.click()
  await expect(page.getByText('Runs again')).toBeVisible()
  await expect(page.getByRole('link', { name: String(failed?.id), exact: true })).toBeVisible()
})

test('a log is followed while it grows, and no line is lost or doubled', async ({ page }) => {
  const id = await start('billing.invoice-preview', {
    param: { month: '2026-12', customers: 120, dry_run: true, pause_ms: 100 },
  })
  await open(page, `/tasks/${id}`)
  const log = page.getByRole('region', { name: 'Log of the task' }).last()
  await expect(log).toContainText('wrote 120 of 120', { timeout: 60_000 })
  await expect(page.getByText('End of the log')).toBeVisible({ timeout: 30_000 })
  const whole = (await api<{ text: string }>(`/tasks/${id}/log?limit=1048576`)).text.trim().split('\n')
  await expect(page.getByText(`${whole.length} lines`)).toBeVisible()
})

test('a log of 100,000 lines is searched, filtered and linked to by line', async ({ page }) => {
  const list = await api<{ items: Task[] }>('/tasks?limit=1&state=succeeded&job=reports.cube-of-all-sales')
  const id = list.items[0]?.id
  await open(page, `/tasks/${id}?line=54321`)
  await expect(page.getByText('100,0', { exact: false }).first()).toBeVisible({ timeout: 60_000 })
  await expect(page.getByRole('button', { name: 'Copy a link to line 54321' })).toBeVisible()
  await page.getByRole('textbox', { name: 'Search the log' }).fill('no text of this log')
  await expect(page.getByText('No match')).toBeVisible()
  // Only what is in view is drawn.
  expect(await page.locator('.ln').count()).toBeLessThan(200)
})

test('many tasks are run again together, after the count was shown', async ({ page }) => {
  await open(page, '/tasks?state=failed')
  await settled(page)
  await page.getByRole('row').nth(1).getByRole('link').first().focus()
  await page.keyboard.press('x')
  await page.keyboard.press('j')
  await page.keyboard.press('x')
  const bar = page.getByRole('toolbar')
  await expect(bar).toContainText('2 selected')
  await expect(bar).toContainText('Updates paused')
  await bar.getByRole('button', { name: 'Run again' }).click()
  const dialog = page.getByRole('dialog', { name: 'Run 2 tasks again?' })
  await dialog.getByRole('button', { name: 'Run again' }).click()
  await expect(page.getByRole('status').filter({ hasText: /done/ })).toBeVisible()
})
