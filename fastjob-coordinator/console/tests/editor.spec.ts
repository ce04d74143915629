import type { Locator, Page } from '@playwright/test'
import { expect, open, test, url } from './support'

/** Names that no other test and no earlier run has. */
const unique = (name: string) =>
  `${name}-${Date.now().toString(36)}-${Math.floor(Math.random() * 1e6).toString(36)}`

/** What the browser logs of answers that these pages ask for: drafts with problems, saves that come too late, and
 * calls that an older coordinator does not have. */
test.beforeEach(({ watch }) => {
  watch.allow.push(/the server responded with a status of (404|412|422)/)
})

/** The dialog with this title. */
const dialogOf = (page: Page, title: string | RegExp): Locator =>
  page.getByRole('dialog').filter({ has: page.getByRole('heading', { name: title }) })

/** The preview beside the form. */
const preview = (page: Page) => page.getByRole('complementary', { name: /^(Preview|预览)$/ })

async function remove(page: Page, name: string) {
  await page.request.delete(`${url}/api/v1/jobs/${encodeURIComponent(name)}`)
}

const words = {
  en: {
    name: 'Name',
    service: /^Service: /,
    problem: /The hour 25 is not between 0 and 23/,
    wrong: '1 problem',
    fix: 'One problem has to be fixed',
    handler: /^Handler: /,
    param: /^Parameter/,
    daily: 'Runs daily at 05:00',
    save: 'Save',
    start: 'Start',
    dialog: /^Start /,
    notJson: /Not JSON: line 1/,
  },
  zh: {
    name: '任务名称',
    service: /^执行器服务: /,
    problem: /时 25 不在 0 到 23 之间/,
    wrong: '1 个问题',
    fix: '有 1 个问题需要修正',
    handler: /^JobHandler: /,
    param: /^任务参数/,
    daily: '每天 05:00',
    save: '保存',
    start: '执行',
    dialog: /^执行一次 /,
    notJson: /不是有效的 JSON：第 1 行/,
  },
}

/** Types into the search of an open list and takes what it finds. */
async function choose(page: Page, button: RegExp, text: string) {
  await page.getByRole('main').getByRole('button', { name: button }).focus()
  await page.keyboard.press('Enter')
  await page.keyboard.type(text)
  await expect(page.getByRole('option').first()).toBeVisible()
  await page.keyboard.press('Enter')
}

for (const language of ['en', 'zh'] as const) {
  const w = words[language]

  test(`a job is created from nothing by keyboard, its wrong cron is repaired, and it is started (${language})`, async ({
    page,
  }) => {
    const name = unique('from-nothing')
    try {
      await open(page, '/jobs/new', { language })
      const field = page.getByRole('textbox', { name: w.name, exact: true })
      await expect(field).toBeFocused()
      await page.keyboard.type(name)
      await choose(page, w.service, 'billing')
      await choose(page, w.handler, 'invoice-run')

      const cron = page.getByRole('textbox', { name: 'Cron', exact: true })
      await cron.focus()
      await page.keyboard.press('Control+a')
      await page.keyboard.type('0 0 25 * * ?')
      await expect(page.getByRole('button', { name: w.wrong })).toBeVisible()
      await expect(cron).toHaveAttribute('aria-invalid', 'true')
      await expect(cron).toHaveAccessibleDescription(w.problem)

      // A save says what is wrong and goes there.
      await page.keyboard.press('Control+s')
      await expect(page.getByRole('alert').filter({ hasText: w.fix })).toBeVisible()
      await expect(cron).toBeFocused()
      await page.keyboard.press('Control+a')
      await page.keyboard.type('0 0 5 * * ?')
      await expect(preview(page).getByText(w.daily).first()).toBeVisible()
      await expect(preview(page).getByText('05:00:00')).toHaveCount(5)
      await expect(page.getByRole('button', { name: w.wrong })).toHaveCount(0)

      await page.keyboard.press('Control+s')
      await expect(page).toHaveURL(new RegExp(`/console/jobs/billing\\.${name}`))

      await page.goto(`${url}/console/jobs/billing.${name}?start=1`)
      const dialog = dialogOf(page, w.dialog)
      await expect(dialog).toBeVisible()
      const param = dialog.getByRole('textbox', { name: w.param })
      await param.focus()
      await page.keyboard.type('{"customers": }')
      await expect(dialog.getByText(w.notJson)).toBeVisible()
      await page.keyboard.press('Control+a')
      await page.keyboard.type('{"customers": 1, "month": "2026-11", "dry_run": true}')
      await page.keyboard.press('Control+Enter')
      await expect(page).toHaveURL(/\/console\/tasks\/\d+/)
      const task = Number(/\/tasks\/(\d+)/.exec(page.url())?.[1])
      const started = await page.request.get(`${url}/api/v1/tasks/${task}`)
      expect(await started.json()).toMatchObject({ job: name, cause: 'manual' })
    } finally {
      await remove(page, `billing.${name}`)
    }
  })
}

test('the kinds are a group of radios, and the builder writes the expression', async ({ page }) => {
  await open(page, '/jobs/new')
  const cron = page.getByRole('textbox', { name: 'Cron', exact: true })
  await page.getByRole('tab', { name: /^hour: / }).focus()
  for (const _ of [1, 2, 3]) await page.keyboard.press('ArrowRight')
  await expect(page.getByRole('tab', { name: /^weekday: / })).toBeFocused()
  await page.getByRole('button', { name: 'Chosen', exact: true }).press('Enter')
  await page.getByRole('button', { name: 'Tue', exact: true }).press('Space')
  await expect(cron).toHaveValue('0 0 2 ? * MON,TUE')
  await page.getByRole('button', { name: 'Weekdays', exact: true }).press('Enter')
  await expect(cron).toHaveValue('0 0 2 ? * MON-FRI')
  await expect(page.getByText('Weekdays at 02:00.', { exact: false }).first()).toBeVisible()

  await page.getByRole('radio', { name: /^Cron/ }).focus()
  await page.keyboard.press('ArrowRight')
  await expect(page.getByRole('radio', { name: /^Fixed rate/ })).toBeFocused()
  await expect(page.getByRole('textbox', { name: /^Interval/ })).toBeVisible()
})

test('leaving with changes asks, and staying keeps them', async ({ page }) => {
  await open(page, '/jobs/new')
  await page.getByRole('textbox', { name: 'Name', exact: true }).fill('half-done')
  await page.getByRole('link', { name: 'Cancel' }).press('Enter')
  const dialog = dialogOf(page, 'Leave without saving?')
  await expect(dialog).toBeVisible()
  await page.keyboard.press('Escape')
  await expect(dialog).toBeHidden()
  await expect(page.getByRole('textbox', { name: 'Name', exact: true })).toHaveValue('half-done')
  await page.getByRole('link', { name: 'Cancel' }).press('Enter')
  await dialog.getByRole('button', { name: 'Leave' }).press('Enter')
  await expect(page).toHaveURL(/\/console\/jobs(\?|$)/)
})

test('a job that another person changed meanwhile is merged field by field', async ({ page }) => {
  const name = unique('merged')
  const job = { name, service: 'billing', timeout: '5m', description: 'before' }
  await page.request.post(`${url}/api/v1/jobs`, { data: job })
  try {
    await open(page, `/jobs/billing.${name}/edit`)
    await page.getByRole('textbox', { name: /^Time limit/ }).fill('10m')
    await page.request.put(`${url}/api/v1/jobs/billing.${name}`, { data: { ...job, description: 'theirs' } })
    await page.keyboard.press('Control+s')
    const dialog = dialogOf(page, /was changed by somebody else/)
    await expect(dialog).toBeVisible()
    await expect(
      dialog.getByRole('group', { name: /description/ }).getByRole('radio', { name: /theirs/i }),
    ).toBeChecked()
    await expect(
      dialog.getByRole('group', { name: /timeout/ }).getByRole('radio', { name: /mine/i }),
    ).toBeChecked()
    await dialog.getByRole('button', { name: 'Save merged' }).press('Enter')
    await expect(page).toHaveURL(new RegExp(`/console/jobs/billing\\.${name}(\\?|$)`))
    const saved = await (await page.request.get(`${url}/api/v1/jobs/billing.${name}`)).json()
    expect(saved).toMatchObject({ timeout: '10m', description: 'theirs' })
  } finally {
    await remove(page, `billing.${name}`)
  }
})

test('a new job does not replace another one of its name', async ({ page }) => {
  const name = unique('taken')
  await page.request.post(`${url}/api/v1/jobs`, { data: { name, service: 'default', description: 'first' } })
  try {
    await open(page, '/jobs/new')
    await page.getByRole('textbox', { name: 'Name', exact: true }).fill(name)
    await page.keyboard.press('Control+s')
    await expect(page.getByText('There is a job of this name in default already.').first()).toBeVisible()
    const saved = await (await page.request.get(`${url}/api/v1/jobs/default.${name}`)).json()
    expect(saved.description).toBe('first')
  } finally {
    await remove(page, `default.${name}`)
  }
})

test('a start can be planned for a time, on an executor, and Escape closes the dialog', async ({ page }) => {
  await open(page, '/jobs/billing.invoice-preview?start=1')
  const dialog = dialogOf(page, /^Start /)
  await expect(dialog).toBeVisible()
  await dialog.getByRole('button', { name: 'After a delay' }).press('Enter')
  const delay = dialog.getByRole('textbox', { name: 'Delay' })
  await delay.fill('soon')
  await dialog.getByRole('button', { name: /Plan the start/ }).press('Enter')
  await expect(dialog.getByRole('alert')).toContainText('Not a duration')
  await expect(delay).toBeFocused()
  await page.keyboard.press('Escape')
  await expect(dialog).toBeHidden()
})

test('a job that starts after a parent becomes a child of it', async ({ page }) => {
  const [parent, child] = [unique('parent'), unique('child')]
  await page.request.post(`${url}/api/v1/jobs`, { data: { name: parent, service: 'billing' } })
  try {
    await open(page, '/jobs/new')
    await page.getByRole('textbox', { name: 'Name', exact: true }).fill(child)
    await page.getByRole('radio', { name: /^After a parent/ }).click()
    await choose(page, /^Add a parent/, parent)
    await page.keyboard.press('Control+s')
    await expect(page).toHaveURL(new RegExp(`/console/jobs/default\\.${child}`))
    const children = async () =>
      (await (await page.request.get(`${url}/api/v1/jobs/billing.${parent}`)).json()).children
    await expect.poll(children).toMatchObject([{ job: `default.${child}` }])
  } finally {
    await remove(page, `billing.${parent}`)
    await remove(page, `default.${child}`)
  }
})
