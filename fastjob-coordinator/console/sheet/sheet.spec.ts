/** All pages on a few big sheets, for eyes: `npm run sheet` against a running coordinator (`CONSOLE_URL`). A sheet has
 * one page in both languages, both themes and both widths. */
import fs from 'node:fs'
import { type Page, test } from '@playwright/test'
import { pages } from '../tests/pages'
import { open, screens, settled } from '../tests/support'

const WIDTHS = [
  { name: 'wide', width: 1280, height: 800 },
  { name: 'phone', width: 360, height: 780 },
] as const
const LANGUAGES = ['en', 'zh'] as const
const THEMES = ['light', 'dark'] as const
const folder = `${screens}/sheet`
/** Pages on one sheet. */
const ROWS = 3

test('the contact sheets', async ({ page, browser }) => {
  test.setTimeout(1_800_000)
  fs.mkdirSync(folder, { recursive: true })
  const only = process.env.SHEET_PAGES?.split(',')
  const all = (await pages()).filter(([name]) => !only || only.includes(name))
  for (const language of LANGUAGES) {
    for (const theme of THEMES) {
      const context = await browser.newContext({ timezoneId: 'Asia/Shanghai', locale: 'en-US' })
      const view = await context.newPage()
      for (const [name, to] of all) {
        await open(view, to, { language, theme })
        await settled(view)
        for (const { name: width, ...size } of WIDTHS) {
          await view.setViewportSize(size)
          await view.screenshot({ path: file(name, language, theme, width), animations: 'disabled' })
        }
      }
      await context.close()
    }
  }
  for (let from = 0; from < all.length; from += ROWS) {
    const names = all.slice(from, from + ROWS).map(([name]) => name)
    for (const theme of THEMES) await sheet(page, names, theme, from / ROWS + 1)
  }
})

const file = (name: string, language: string, theme: string, width: string) =>
  `${folder}/${name}-${language}-${theme}-${width}.png`

/** One picture with a row for each page. */
async function sheet(page: Page, names: string[], theme: string, number: number) {
  const image = (path: string) => `data:image/png;base64,${fs.readFileSync(path).toString('base64')}`
  const rows = names.map((name) => {
    const shots = LANGUAGES.flatMap((language) =>
      WIDTHS.map(
        ({ name: width, height }) =>
          `<img src="${image(file(name, language, theme, width))}" style="height:${height * 0.75}px">`,
      ),
    )
    return `<h2>${name}</h2><div>${shots.join('')}</div>`
  })
  await page.setViewportSize({ width: 2540, height: 1000 })
  await page.setContent(
    `<style>body{margin:8px;font:14px sans-serif;background:#888}div{display:flex;gap:8px}
     h2{margin:6px 0 2px;font-size:14px}</style>${rows.join('')}`,
  )
  await page.screenshot({ path: `${folder}/sheet-${number}-${theme}.png`, fullPage: true })
}
