/** What is on the screen before the page is. */
import { expect, open, settled, test } from './support'

for (const theme of ['light', 'dark'] as const) {
  test(`the frame of the page is painted before its scripts have loaded, ${theme}`, async ({ page }) => {
    let arrive = () => {}
    const held = new Promise<void>((resolve) => {
      arrive = resolve
    })
    await page.route('**/vendor.js', async (route) => {
      await held
      await route.continue()
    })
    const opened = open(page, '/tasks', { theme })
    await expect(page.locator('#boot .brand')).toBeVisible()
    await expect
      .poll(() => page.evaluate(() => performance.getEntriesByName('first-contentful-paint').length))
      .toBe(1)
    expect(await page.evaluate(() => document.documentElement.classList.contains('dark'))).toBe(
      theme === 'dark',
    )
    arrive()
    await opened
    await settled(page)
    await expect(page.locator('#boot')).toHaveCount(0)
  })
}

test('the script of the page and the session are asked for while other scripts load, once', async ({
  page,
}) => {
  let arrive = () => {}
  const held = new Promise<void>((resolve) => {
    arrive = resolve
  })
  const asked: string[] = []
  page.on('request', (request) => asked.push(new URL(request.url()).pathname.split('/').pop() ?? ''))
  await page.route('**/vendor.js', async (route) => {
    await held
    await route.continue()
  })
  const opened = open(page, '/tasks')
  await expect.poll(() => asked).toEqual(expect.arrayContaining(['TasksPage.js', 'session']))
  arrive()
  await opened
  await settled(page)
  expect(asked.filter((name) => name === 'session')).toHaveLength(1)
  expect(asked.filter((name) => name === 'TasksPage.js')).toHaveLength(1)
})
