/** What the browser tests share: pages that tolerate no error, and scenes of their own. */
import { type ChildProcess, spawn } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { createInterface, type Interface } from 'node:readline'
import { test as base, expect, type Page } from '@playwright/test'

export { expect } from '@playwright/test'

export type Language = 'en' | 'zh'
export interface Look {
  language?: Language
  theme?: 'light' | 'dark'
}

/** The coordinator that all tests share. */
export const url = process.env.CONSOLE_URL ?? 'http://127.0.0.1:7070'
export const screens = process.env.CONSOLE_SCREENS ?? '../../target/screens'
const axe = fs.readFileSync(path.join(import.meta.dirname, '../node_modules/axe-core/axe.min.js'), 'utf8')

/** Answers that a test expects the browser to complain about. */
export interface Watch {
  allow: RegExp[]
}

/** A page that fails its test by an error of any kind: of a script, of the policy for content, of another origin. */
export const test = base.extend<{ watch: Watch }>({
  watch: [
    async ({ page }, use) => {
      const watch: Watch = { allow: [] }
      const wrong: string[] = []
      const note = (text: string) => {
        if (!watch.allow.some((pattern) => pattern.test(text))) wrong.push(text)
      }
      page.on('pageerror', (error) => note(`error of the page: ${error.stack ?? error.message}`))
      page.on('console', (message) => {
        if (message.type() === 'error' || message.type() === 'warning') note(`console: ${message.text()}`)
      })
      page.on('request', (request) => {
        const to = new URL(request.url())
        if (to.protocol.startsWith('http') && to.hostname !== '127.0.0.1') note(`request to ${request.url()}`)
      })
      await use(watch)
      expect(wrong, 'what the browser reported').toEqual([])
    },
    { auto: true },
  ],
})

/** Opens a page of the console. */
export async function open(page: Page, to: string, look: Look = {}, server = url): Promise<void> {
  const { language = 'en', theme = 'light' } = look
  await page.addInitScript(
    ([text]) => {
      if (localStorage.getItem('fastjob.settings') === null)
        localStorage.setItem('fastjob.settings', text ?? '')
    },
    [JSON.stringify({ language, theme, zone: 'browser' })],
  )
  await page.goto(`${server}/console${to}`)
}

/** Waits until the page shows its content instead of places for it. */
export async function settled(page: Page): Promise<void> {
  await page.locator('main h1:visible').first().waitFor()
  await expect(page.locator('main [aria-busy=true]')).toHaveCount(0)
}

export async function expectNoSidewaysScroll(page: Page): Promise<void> {
  const [wide, screen] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth])
  expect.soft(wide, 'the width of the page').toBeLessThanOrEqual(screen ?? 0)
}

/** Checks the page against WCAG 2.2 AA, as far as a program can. */
export async function expectAccessible(page: Page): Promise<void> {
  await page.evaluate(axe)
  const found = await page.evaluate(async () => {
    const run = (
      globalThis as unknown as { axe: { run: (node: Document, options: object) => Promise<AxeResult> } }
    ).axe
    const result = await run.run(document, {
      runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'],
      resultTypes: ['violations'],
      // Experimental: it also reports names that repeat the value in other words.
      rules: { 'label-content-name-mismatch': { enabled: false } },
    })
    return result.violations.map(
      (one) => `${one.id}: ${one.nodes.map((node) => node.html.slice(0, 160)).join('\n  ')}`,
    )
    interface AxeResult {
      violations: { id: string; nodes: { html: string }[] }[]
    }
  })
  expect.soft(found, 'violations of WCAG').toEqual([])
}

/** A call of the REST API, for what a test needs to know or to prepare. */
export async function api<Answer>(to: string, init?: RequestInit, server = url): Promise<Answer> {
  const response = await fetch(`${server}/api/v1${to}`, {
    ...init,
    headers: { 'content-type': 'application/json', ...init?.headers },
  })
  if (!response.ok) throw new Error(`${to}: ${response.status} ${await response.text()}`)
  return (await response.json()) as Answer
}

/** A scene of a test's own: a coordinator that it may kill, or that needs a token. */
export class Scene {
  private constructor(
    private readonly child: ChildProcess,
    private readonly reader: Interface,
    readonly url: string,
    readonly token: string | null,
  ) {}

  static async start(...options: string[]): Promise<Scene> {
    const program = process.env.CONSOLE_SCENE
    if (!program) throw new Error('CONSOLE_SCENE has no program')
    const child = spawn(program, options, { stdio: ['pipe', 'pipe', 'inherit'] })
    const reader = createInterface({ input: child.stdout })
    const first = await new Promise<string>((resolve, reject) => {
      reader.once('line', resolve)
      child.once('exit', (code) => reject(new Error(`the scene ended with ${code}`)))
    })
    const shown = JSON.parse(first) as { url: string; token: string | null }
    return new Scene(child, reader, shown.url, shown.token)
  }

  /** `kill`, `up`, `restart`, `leave SERVICE`, `join SERVICE`. */
  async order(text: string): Promise<void> {
    const answer = new Promise<string>((resolve) => this.reader.once('line', resolve))
    this.child.stdin?.write(`${text}\n`)
    const done = JSON.parse(await answer) as { error?: string }
    if (done.error) throw new Error(done.error)
  }

  async end(): Promise<void> {
    const ended = new Promise((resolve) => this.child.once('exit', resolve))
    this.child.stdin?.end()
    await ended
  }
}
