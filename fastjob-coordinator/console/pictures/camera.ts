/** Takes a picture of a page, or of a part of it, in a theme and a language. */
import fs from 'node:fs'
import type { Browser, BrowserContext, Locator, Page } from '@playwright/test'
import { type Language, settled } from '../tests/support'
import { folder, port, shown } from './paths'

export type Theme = 'light' | 'dark'

export interface Picture {
  /** Its file is `NAME-LANGUAGE-THEME.png`. */
  name: string
  to: string
  /** Only English if omitted. */
  languages?: readonly Language[]
  /** Only light if omitted. */
  themes?: readonly Theme[]
  size?: { width: number; height: number }
  /** What is done before the page opens. */
  before?: (page: Page) => Promise<void>
  /** What is done on the page. */
  act?: (page: Page) => Promise<void>
  /** The elements that the picture shows, all that is in view if omitted. */
  of?: (page: Page) => Locator[]
  /** What is shown around them: no margin if omitted. */
  margin?: 'around' | 'below'
}

const SIZE = { width: 1280, height: 800 }
/** Around a dialog, to show that it is one; below the end of a part of a page. */
const MARGIN = 16
/** Where people who read that language may be. */
const ZONES: Record<Language, string> = { en: 'Europe/Berlin', zh: 'Asia/Shanghai' }

export class Camera {
  constructor(
    private readonly browser: Browser,
    private readonly now: number,
  ) {}

  async take(picture: Picture): Promise<void> {
    for (const language of picture.languages ?? ['en'])
      for (const theme of picture.themes ?? ['light']) await this.takeOne(picture, language, theme)
  }

  private async takeOne(picture: Picture, language: Language, theme: Theme): Promise<void> {
    const context = await this.context(picture, language, theme)
    try {
      const page = await context.newPage()
      await picture.before?.(page)
      await page.goto(`${shown}/console${picture.to}`)
      await settled(page)
      await page.evaluate(() => document.fonts.ready)
      await picture.act?.(page)
      // No pointer is on anything, and no line moves.
      await page.mouse.move(0, 0)
      const clip = picture.of && (await part(page, picture.of(page), picture.margin))
      const path = `${folder}/${picture.name}-${language}-${theme}.png`
      fs.mkdirSync(folder, { recursive: true })
      await page.screenshot({ path, animations: 'disabled', caret: 'hide', ...(clip && { clip }) })
    } finally {
      await context.close()
    }
  }

  private async context({ size = SIZE }: Picture, language: Language, theme: Theme): Promise<BrowserContext> {
    const context = await this.browser.newContext({
      timezoneId: ZONES[language],
      locale: 'en-US',
      viewport: size,
      deviceScaleFactor: 1.5,
    })
    await context.clock.setFixedTime(this.now)
    const settings = JSON.stringify({ language, theme, zone: 'browser' })
    await context.addInitScript((text) => localStorage.setItem('fastjob.settings', text), settings)
    return context
  }
}

/** Changes what the page reads at these addresses: only what would differ between two runs, and says nothing. */
export async function changed<Body>(page: Page, addresses: string, change: (body: Body) => void) {
  await page.route(addresses, async (route) => {
    // Playwright asks by itself, without the browser's resolver.
    const url = route.request().url().replace(shown, `http://127.0.0.1:${port}`)
    const response = await route.fetch({ url })
    const json = (await response.json()) as Body
    change(json)
    await route.fulfill({ response, json })
  })
}

/** The part of the page that has all of these. */
async function part(page: Page, elements: Locator[], margin: Picture['margin']) {
  const boxes = []
  for (const element of elements) {
    const box = await element.boundingBox()
    if (!box) throw new Error(`there is no ${element}`)
    boxes.push(box)
  }
  const { width, height } = page.viewportSize() ?? SIZE
  const around = margin === 'around' ? MARGIN : 0
  const below = margin === undefined ? 0 : MARGIN
  const left = Math.max(0, Math.min(...boxes.map((box) => box.x)) - around)
  const top = Math.max(0, Math.min(...boxes.map((box) => box.y)) - around)
  const right = Math.min(width, Math.max(...boxes.map((box) => box.x + box.width)) + around)
  const bottom = Math.min(height, Math.max(...boxes.map((box) => box.y + box.height)) + below)
  return { x: left, y: top, width: right - left, height: bottom - top }
}
