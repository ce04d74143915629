/** What must not happen twice, and what must not be overwritten; errors that lists cut; files; rows on a phone. */
import { api, expect, expectAccessible, open, settled, test } from './support'

interface Job {
  id: number
  enabled: boolean
  description?: string
  revision: number
}

const unique = (name: string) => `${name}-${Date.now().toString(36)}`
const save = (job: object) =>
  api('/jobs', { method: 'PATCH', body: JSON.stringify({ jobs: [job], replace: true }) })
const remove = (name: string) =>
  fetch(`${process.env.CONSOLE_URL}/api/v1/jobs/${name}`, { method: 'DELETE' }).then(() => null)

test('a start whose answer is lost, and a second click, give one task', async ({ page, watch }) => {
  watch.allow.push(/Failed to load resource/)
  const name = unique('once')
  await save({ name, service: 'billing', handler: 'invoice-run' })
  let lost = 0
  await page.route('**/start', async (route) => {
    lost += 1
    if (lost > 1) return route.continue()
    // The request arrives; its answer does not.
    await route.fetch()
    return route.abort('connectionreset')
  })
  await open(page, `/jobs/billing.${name}?start=1`)
  const dialog = page.getByRole('dialog')
  await dialog.getByRole('button', { name: /^Start/ }).click()
  await expect(dialog.getByText('it is not started twice')).toBeVisible()
  await dialog.getByRole('button', { name: /^Start/ }).click()
  await expect(page).toHaveURL(/\/tasks\/\d+/)
  const { items } = await api<{ items: unknown[] }>(`/tasks?job=billing.${name}`)
  expect(items).toHaveLength(1)
  // The job stays: its task is in lists of other tests, which ask for its statistics.
})

test('a switch and a restore that come too late ask first', async ({ page, watch }) => {
  watch.allow.push(/412/)
  const name = unique('late')
  const job = { name, service: 'billing', handler: 'invoice-run' }
  const read = () => api<Job>(`/jobs/billing.${name}`)
  await save({ ...job, description: 'first' })
  try {
    await open(page, `/jobs/billing.${name}`)
    const flip = page.getByRole('switch', { name: `Disable ${name}` })
    await expect(flip).toBeVisible()
    // The page does not hear of the change before the click.
    await page.route('**/api/v1/events*', (route) => route.abort())
    await page.route(`**/api/v1/jobs/billing.${name}/disable`, async (route) => {
      await page.unroute(`**/api/v1/jobs/billing.${name}/disable`)
      await save({ ...job, description: 'theirs' })
      await route.continue()
    })
    await flip.click()
    const dialog = page.getByRole('dialog', { name: /was changed by somebody else/ })
    await expect(dialog).toBeVisible()
    expect((await read()).enabled).toBe(true)
    await dialog.getByRole('button', { name: 'Save merged' }).click()
    await expect(dialog).toHaveCount(0)
    expect(await read()).toMatchObject({ enabled: false, description: 'theirs' })

    await page.getByRole('button', { name: 'History', exact: true }).click()
    await page.route(`**/api/v1/jobs/billing.${name}/restore`, async (route) => {
      await page.unroute(`**/api/v1/jobs/billing.${name}/restore`)
      await save({ ...job, description: 'theirs again' })
      await route.continue()
    })
    await page.getByRole('button', { name: 'Restore' }).last().click()
    await page.getByRole('dialog').getByRole('button', { name: 'Restore' }).click()
    await expect(dialog).toBeVisible()
    await page.keyboard.press('Escape')
    await expect(dialog).toHaveCount(0)
    expect((await read()).description).toBe('theirs again')
  } finally {
    await remove(`billing.${name}`)
  }
})

test('an error that the list cuts is read whole by key and by click, and leads to the log', async ({
  page,
}) => {
  await open(page, '/tasks?state=failed&job=billing.dunning-mail')
  await settled(page)
  await page.keyboard.press('j')
  await page.keyboard.press('p')
  const panel = page.getByRole('dialog')
  await expect(panel.getByText('sender address rejected: not owned by user billing')).toBeVisible()
  await expect(panel.getByRole('link', { name: 'Open the log' })).toBeFocused()
  await expectAccessible(page)
  const first = await panel.getByRole('heading', { level: 2 }).textContent()
  await page.keyboard.press('j')
  await expect(panel.getByRole('heading', { level: 2 })).not.toHaveText(first ?? '')
  await page.keyboard.press('Escape')
  await expect(panel).toHaveCount(0)
  await expect(page.getByRole('row').nth(2).getByRole('link').first()).toBeFocused()
  await page.keyboard.press('p')
  await expect(panel).toBeVisible()
  await page.screenshot({ path: `${process.env.CONSOLE_SCREENS}/peek-wide.png` })
  await page.keyboard.press('Escape')
  await page.setViewportSize({ width: 360, height: 780 })
  await page.getByRole('row').nth(1).getByText('could not send').click()
  await expect(panel).toBeVisible()
  await expectAccessible(page)
  await page.screenshot({ path: `${process.env.CONSOLE_SCREENS}/peek-phone.png` })
})

test('a file in TOML shows what it would change, and is saved as a whole', async ({ page }) => {
  const name = unique('from-file')
  await save({ name, service: 'billing', handler: 'invoice-run', timeout: '5m' })
  try {
    await open(page, '/jobs')
    await settled(page)
    await page.getByRole('button', { name: 'Import' }).click()
    const dialog = page.getByRole('dialog')
    const text = dialog.getByRole('textbox')
    await text.fill('[[job]]\nname = ')
    await dialog.getByRole('button', { name: 'Show what would change' }).click()
    await expect(dialog.getByRole('alert')).toContainText('Not TOML, line 2')
    await text.fill(
      `[[job]]\nname = "${name}"\nservice = "billing"\ntimeout = "9m"\n\n[[job]]\nname = "${name}-2"\n`,
    )
    await dialog.getByRole('button', { name: 'Show what would change' }).click()
    await expect(dialog.getByRole('status')).toContainText('1 new, 1 changed, 0 the same')
    await expect(dialog.getByRole('row', { name: /timeout/ })).toContainText('9m')
    expect(await api(`/jobs/billing.${name}`)).toMatchObject({ timeout: '5m' })
    await dialog.getByRole('button', { name: 'Save 2 jobs' }).click()
    await expect(dialog).toHaveCount(0)
    expect(await api(`/jobs/billing.${name}`)).toMatchObject({ timeout: '9m' })
  } finally {
    await remove(`billing.${name}`)
    await remove(`default.${name}-2`)
  }
})

test('rows are picked on a phone, and the bar of actions has its place', async ({ page }) => {
  await page.setViewportSize({ width: 360, height: 780 })
  await open(page, '/jobs?service=billing')
  await settled(page)
  await page.getByRole('button', { name: 'Select', exact: true }).click()
  await page.getByRole('row').filter({ hasText: 'charge-cards' }).first().click()
  const bar = page.getByRole('toolbar')
  await expect(bar).toContainText('1 selected')
  for (const action of ['Enable', 'Disable', 'Start', 'Delete']) {
    await expect(bar.getByRole('button', { name: action, exact: true })).toBeInViewport({ ratio: 1 })
  }
  await expect(page).toHaveURL(/\/jobs\?/)
  await page.screenshot({ path: `${process.env.CONSOLE_SCREENS}/jobs-picked-phone.png` })
  await bar.getByRole('button', { name: 'Clear' }).click()
  await expect(bar).toHaveCount(0)
})

test('a problem is said in Chinese, with the words of the coordinator below', async ({ page, watch }) => {
  watch.allow.push(/404/)
  await open(page, '/jobs/billing.nobody', { language: 'zh' })
  const alert = page.getByRole('alert')
  await expect(alert).toContainText('没有名为 billing.nobody 的任务。')
  await expect(alert).toContainText('no job is named `billing.nobody`')
})
