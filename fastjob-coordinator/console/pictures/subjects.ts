/** What the pictures of the company show, and which of it. */
import type { Locator, Page } from '@playwright/test'
import { changed, type Picture } from './camera'
import type { Company } from './company'

const BOTH = ['light', 'dark'] as const
/** A page whose panels are read well at the width of a document. */
const NARROW = { width: 1240, height: 1000 }

/** The head of a page. Banners, which are above it, are on each page. */
const head = (page: Page): Locator =>
  page.locator('main .crumbs:visible').or(page.locator('main .head:visible')).first()
const buttons = (page: Page): Locator => page.locator('main .head:visible').first()
const section = (page: Page, title: RegExp): Locator =>
  page.locator('main section').filter({ has: page.getByRole('heading', { name: title }) })

export async function subjects(company: Company): Promise<Picture[]> {
  const failed = await company.task('state=failed&job=billing.payment-reminders')
  const running = await company.task('state=running&job=reports.orders-to-lake')
  const waiting = await company.task('state=queued&job=ledger.close-day')
  return [
    {
      name: 'console',
      to: '/overview?range=6h',
      languages: ['en', 'zh'],
      themes: BOTH,
      size: { width: 1280, height: 860 },
    },
    {
      name: 'attention',
      to: '/overview?range=6h',
      languages: ['en', 'zh'],
      size: NARROW,
      of: (page) => [head(page), page.locator('main .metrics')],
      margin: 'below',
    },
    {
      name: 'job',
      to: '/jobs/reports.invoices-to-lake',
      themes: BOTH,
      size: NARROW,
      of: (page) => [head(page), buttons(page), section(page, /^Next fires/), section(page, /^Last 20/)],
    },
    {
      name: 'task-running',
      to: `/tasks/${running}`,
      themes: BOTH,
      size: { ...NARROW, height: 720 },
      of: (page) => [head(page), buttons(page), page.locator('main .log')],
      margin: 'below',
    },
    {
      name: 'task-failed',
      to: `/tasks/${failed}`,
      languages: ['en', 'zh'],
      size: { ...NARROW, height: 760 },
      of: (page) => [head(page), buttons(page), page.locator('main .log')],
      margin: 'below',
    },
    {
      name: 'task-waiting',
      to: `/tasks/${waiting}`,
      size: NARROW,
      of: (page) => [head(page), buttons(page), page.locator('main .gantt')],
      margin: 'below',
    },
    {
      name: 'start',
      to: '/jobs/billing.invoice-run?start=1',
      of: (page) => [page.getByRole('dialog')],
      margin: 'around',
    },
    {
      name: 'palette',
      to: '/overview?range=6h',
      act: async (page) => {
        await page.keyboard.press('Control+k')
        await page.getByRole('dialog').getByRole('combobox').fill('orders')
        await page.getByRole('dialog').getByText('orders-to-lake').first().waitFor()
      },
      of: (page) => [page.getByRole('dialog')],
      margin: 'around',
    },
    {
      name: 'timetable',
      to: '/timetable',
      size: NARROW,
      of: (page) => [head(page), buttons(page), page.locator('main .heat-key')],
      margin: 'below',
    },
    {
      name: 'alarms',
      to: '/alarms',
      size: NARROW,
      of: (page) => [head(page), buttons(page), page.locator('main tbody tr').nth(8)],
    },
    {
      name: 'executors',
      to: '/executors',
      size: { ...NARROW, width: 1280 },
      before: restingMachines,
      of: (page) => [head(page), buttons(page), page.locator('main tbody tr').last()],
    },
    {
      name: 'editor',
      to: '/jobs/reports.orders-to-lake/edit',
      size: { ...NARROW, height: 860 },
      of: (page) => [
        page.locator('main .editbar'),
        page.getByRole('heading', { name: 'Schedule', exact: true }).locator('..'),
      ],
    },
  ]
}

/** All executors are on the machine that takes the pictures. */
function restingMachines(page: Page): Promise<void> {
  return changed<{ items: object[] }>(page, '**/api/v1/executors*', ({ items }) => {
    for (const [index, item] of items.entries()) {
      const address = `10.20.3.${11 + index}`
      Object.assign(item, { address, cpu: 0.1 + 0.03 * index, memory_free: 6 * 2 ** 30 })
    }
  })
}
