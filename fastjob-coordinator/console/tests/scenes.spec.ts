/** Coordinators of a test's own: one that restarts, one that needs a token, one that is new. */
import { expect, open, Scene, settled, test } from './support'

test('a page survives the restart of its coordinator, says so, and doubles nothing', async ({
  page,
  watch,
}) => {
  watch.allow.push(/Failed to load resource/, /ERR_/, /EventSource/)
  const scene = await Scene.start('--tasks', '20')
  try {
    await open(page, '/tasks?state=failed', {}, scene.url)
    await settled(page)
    await scene.order('kill')
    await expect(page.getByText(/Reconnecting|does not answer/).first()).toBeVisible({ timeout: 40_000 })
    await scene.order('up')
    await expect(page.getByText(/^(Live|Every 5 s)$/).first()).toBeVisible({ timeout: 60_000 })
    const keys = await page
      .locator('tr[data-key]')
      .evaluateAll((rows) => rows.map((row) => row.getAttribute('data-key')))
    expect(keys.length).toBeGreaterThan(0)
    expect(new Set(keys).size).toBe(keys.length)
  } finally {
    await scene.end()
  }
})

test('a token is asked for once, a wrong one is refused, and signing out ends the session', async ({
  page,
  watch,
}) => {
  watch.allow.push(/401/)
  const token = 'a-token-that-is-long-enough'
  const scene = await Scene.start('--empty', '--token', token)
  try {
    await open(page, '/jobs', {}, scene.url)
    const field = page.getByLabel('Token', { exact: true })
    await field.fill('not-this-token-at-all')
    await page.keyboard.press('Enter')
    await expect(page.getByRole('alert')).toContainText('wrong')
    await field.fill(token)
    await page.keyboard.press('Enter')
    await expect(page.getByRole('heading', { name: 'Jobs' })).toBeVisible()
    await page.reload()
    await expect(page.getByRole('heading', { name: 'Jobs' })).toBeVisible()
    // The token is kept neither in the address nor where scripts read it.
    expect(page.url()).not.toContain(token)
    expect(await page.evaluate(() => JSON.stringify({ ...localStorage }) + document.cookie)).not.toContain(
      token,
    )
    await page.goto(`${scene.url}/console/settings`)
    await page.getByRole('button', { name: 'Sign out' }).first().click()
    await expect(page.getByLabel('Token', { exact: true })).toBeVisible()
  } finally {
    await scene.end()
  }
})

test('a new installation shows the first steps, and has no error on any page', async ({ page, watch }) => {
  // The stream of a page that is left, or whose coordinator ends, is cut.
  watch.allow.push(/ERR_INCOMPLETE_CHUNKED_ENCODING/)
  const scene = await Scene.start('--empty')
  try {
    for (const to of [
      '/overview',
      '/jobs',
      '/tasks',
      '/executors',
      '/handlers',
      '/alarms',
      '/timetable',
      '/cluster',
    ]) {
      await open(page, to, {}, scene.url)
      await page.locator('main h1:visible').first().waitFor()
      await expect(page.getByRole('alert')).toHaveCount(0)
    }
    await open(page, '/overview', {}, scene.url)
    await expect(page.getByText('cargo add fastjob-executor').first()).toBeVisible()
  } finally {
    await scene.end()
  }
})
