/** What people do with jobs: find, switch, start, change together. */
import { api, expect, open, settled, test } from './support'

interface Job {
  enabled: boolean
}

const save = (jobs: object[]) =>
  api('/jobs', { method: 'PATCH', body: JSON.stringify({ jobs, replace: true }) })

test('a job is switched off and on in the list', async ({ page }) => {
  await save([{ name: 'switched', service: 'billing', handler: 'invoice-run', labels: { test: 'switch' } }])
  await open(page, '/jobs?label=test%3Dswitch')
  await settled(page)
  await page.getByRole('switch', { name: 'Disable switched' }).click()
  await expect(page.getByRole('switch', { name: 'Enable switched' })).toBeVisible()
  await expect.poll(async () => (await api<Job>('/jobs/billing.switched')).enabled).toBe(false)
  await page.getByRole('switch', { name: 'Enable switched' }).click()
  await expect.poll(async () => (await api<Job>('/jobs/billing.switched')).enabled).toBe(true)
})

test('all jobs of a label are disabled together, after the count was shown', async ({ page }) => {
  const names = ['one', 'two', 'three']
  await save(
    names.map((name) => ({
      name: `bulk-${name}`,
      service: 'billing',
      handler: 'invoice-run',
      labels: { test: 'bulk' },
    })),
  )
  await open(page, '/jobs?label=test%3Dbulk')
  await settled(page)
  await page.getByRole('checkbox', { name: 'Select all rows' }).click()
  await page.getByRole('toolbar').getByRole('button', { name: 'Disable' }).click()
  const dialog = page.getByRole('dialog', { name: 'Disable 3 jobs?' })
  await expect(dialog).toContainText('billing.bulk-two')
  await dialog.getByRole('button', { name: 'Disable' }).click()
  for (const name of names) {
    await expect.poll(async () => (await api<Job>(`/jobs/billing.bulk-${name}`)).enabled).toBe(false)
  }
})

test('the palette finds a job, and starts it', async ({ page }) => {
  await open(page, '/overview')
  await settled(page)
  await page.keyboard.press('Control+k')
  const dialog = page.getByRole('dialog')
  await expect(dialog.getByRole('combobox')).toBeFocused()
  await page.keyboard.type('invoice-prev')
  await expect(dialog.getByRole('option', { name: /invoice-preview/ }).first()).toBeVisible()
  await page.keyboard.press('Enter')
  await expect(page).toHaveURL(/jobs\/billing.invoice-preview/)
  await expect(page.getByRole('heading', { name: 'invoice-preview' })).toBeVisible()
})

test('pages are reached by keys, and the sheet of keys lists them', async ({ page }) => {
  await open(page, '/overview')
  await settled(page)
  // The second key has to follow within a second, which a busy machine may miss.
  await expect(async () => {
    await page.keyboard.press('g')
    await page.keyboard.press('e')
    await expect(page).toHaveURL(/\/executors/, { timeout: 2_000 })
  }).toPass()
  await page.keyboard.press('?')
  await expect(page.getByRole('dialog')).toContainText('Keyboard shortcuts')
  await page.keyboard.press('Escape')
  await expect(page.getByRole('dialog')).toHaveCount(0)
})

test('a change that another person made meanwhile is not overwritten', async ({ page, watch }) => {
  watch.allow.push(/412/)
  await save([
    {
      name: 'edited',
      service: 'billing',
      handler: 'invoice-run',
      description: 'before',
      labels: { test: 'edit' },
    },
  ])
  await open(page, '/jobs/billing.edited/edit')
  const description = page.getByRole('textbox', { name: 'Description' })
  await expect(description).toHaveValue('before')
  await save([
    {
      name: 'edited',
      service: 'billing',
      handler: 'invoice-run',
      description: 'of the other person',
      labels: { test: 'edit' },
    },
  ])
  await description.fill('mine')
  await page.getByRole('button', { name: 'Save', exact: true }).click()
  await expect(page.getByText('of the other person').first()).toBeVisible()
  expect((await api<{ description: string }>('/jobs/billing.edited')).description).toBe('of the other person')
})

test('a row has a menu, which gives the focus back, and a strip, which says what each task was', async ({
  page,
}) => {
  await open(page, '/jobs')
  await settled(page)
  const more = page.getByRole('button', { name: 'More actions for invoice-preview' })
  await more.focus()
  for (const _time of [1, 2]) {
    await page.keyboard.press('Enter')
    await expect(page.getByRole('menu')).toBeVisible()
    await page.keyboard.press('Escape')
    await expect(page.getByRole('menu')).toHaveCount(0)
    await expect(more).toBeFocused()
  }
  const strip = page.getByRole('img', { name: /^last [1-9]/ }).first()
  await strip.hover({ position: { x: 115, y: 12 } })
  await strip.hover({ position: { x: 114, y: 12 } })
  await expect(page.getByRole('tooltip')).toContainText('took')
  await strip.click({ position: { x: 114, y: 12 } })
  await expect(page).toHaveURL(/\/tasks\/\d+/)
})

test('executors are looked for by the coordinator', async ({ page }) => {
  await open(page, '/executors')
  await settled(page)
  await page.getByRole('textbox', { name: 'Filter executors' }).fill('billing-1')
  await expect(page).toHaveURL(/text=billing-1/)
  await expect(page.getByText('1 executor', { exact: true })).toBeVisible()
})
