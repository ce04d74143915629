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
