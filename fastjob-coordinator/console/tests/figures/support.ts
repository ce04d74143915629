/** What the measurements share: their settings, the browser, and where the figures go. */
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { type BrowserContext, chromium, type LaunchOptions, type Page } from '@playwright/test'

export const url = needed('FIGURES_URL')
const settings = JSON.parse(needed('FIGURES_SETTINGS')) as Record<string, unknown>

function needed(name: string): string {
  const value = process.env[name]
  if (!value)
    throw new Error(`${name} is missing: start this with cargo bench -p fastjob-tests --bench console`)
  return value
}

/** A setting of the bench. Without it the measurement would not be the one that was asked for. */
export function setting<Value extends number | string | boolean | number[]>(name: string): Value {
  const value = settings[name]
  if (value === undefined) throw new Error(`the bench does not say ${name}`)
  return value as Value
}

/** Hands the figures to the bench. */
export function report(figures: object): void {
  fs.writeFileSync(needed('FIGURES_OUT'), JSON.stringify(figures))
}

/** Every browser of a measurement is started like this. */
export const launch: LaunchOptions = {
  executablePath: process.env.CONSOLE_CHROMIUM ?? '/usr/bin/chromium',
  args: process.getuid?.() === 0 ? ['--no-sandbox'] : [],
}
export const view = {
  viewport: { width: 1440, height: 900 },
  locale: 'en-US',
  timezoneId: 'Europe/Berlin',
} as const

/** A browser with a profile on disk, as users have it: its caches work as theirs do. */
export async function withProfile<Result>(
  use: (context: BrowserContext) => Promise<Result>,
): Promise<Result> {
  const profile = fs.mkdtempSync(path.join(os.tmpdir(), 'fastjob-figures-'))
  const context = await chromium.launchPersistentContext(profile, { ...launch, ...view })
  context.setDefaultTimeout(PATIENCE)
  try {
    return await use(context)
  } finally {
    await context.close()
    fs.rmSync(profile, { recursive: true, force: true })
  }
}

export async function api<Answer>(to: string, init?: RequestInit): Promise<Answer> {
  const response = await fetch(`${url}/api/v1${to}`, {
    ...init,
    headers: { 'content-type': 'application/json', ...init?.headers },
  })
  if (!response.ok) throw new Error(`${to}: ${response.status} ${await response.text()}`)
  return (await response.json()) as Answer
}

/** How long anything may take that is waited for. */
const PATIENCE = 120_000

/** Fails the measurement at the first error of the page: figures of a broken page are worth nothing. */
export function strict(page: Page): void {
  page.setDefaultTimeout(PATIENCE)
  page.on('pageerror', (error) => {
    throw error
  })
}

export const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))

/** The value that this part of the values does not exceed, from 0 to 1. */
export function part(values: readonly number[], of: number): number | null {
  const sorted = [...values].sort((a, b) => a - b)
  const value = sorted[Math.round((sorted.length - 1) * of)]
  return value === undefined ? null : rounded(value)
}

export const rounded = (value: number) => Math.round(value * 10) / 10

/** The median and the largest value. */
export const middle = (values: readonly number[]) => ({
  median: part(values, 0.5),
  max: part(values, 1),
  values: values.map(rounded),
})

/** Times between frames. */
export const frames = (deltas: readonly number[]) => ({
  frames: deltas.length,
  per_s: rounded(
    (1000 * deltas.length) /
      Math.max(
        1,
        deltas.reduce((sum, one) => sum + one, 0),
      ),
  ),
  p50_ms: part(deltas, 0.5),
  p99_ms: part(deltas, 0.99),
  longest_ms: part(deltas, 1),
})
