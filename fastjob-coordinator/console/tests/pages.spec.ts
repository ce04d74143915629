/** Every page in two widths, two themes and two languages: no error, no sideways scroll, accessible; with a screenshot of each. */
import { pages } from './pages'
import {
  expectAccessible,
  expectNoSidewaysScroll,
  type Language,
  open,
  screens,
  settled,
  test,
} from './support'

const WIDTHS = { wide: { width: 1280, height: 800 }, phone: { width: 360, height: 780 } } as const

for (const language of ['en', 'zh'] as Language[]) {
  for (const theme of ['light', 'dark'] as const) {
    for (const width of ['wide', 'phone'] as const) {
      test(`every page is whole and accessible: ${language}, ${theme}, ${width}`, async ({ page }) => {
        test.setTimeout(600_000)
        await page.setViewportSize(WIDTHS[width])
        for (const [name, to] of await pages()) {
          await test.step(name, async () => {
            await open(page, to, { language, theme })
            await settled(page)
            await page.screenshot({
              path: `${screens}/${name}-${language}-${theme}-${width}.png`,
              animations: 'disabled',
            })
            await expectNoSidewaysScroll(page)
            await expectAccessible(page)
          })
        }
      })
    }
  }
}
