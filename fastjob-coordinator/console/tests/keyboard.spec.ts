/** Somebody who has never seen the console makes a job, breaks it, repairs it, follows its log and stops it: with keys
 * alone, from one page on, in both languages. What is not reached by Tab, arrows, a shortcut or the palette fails here,
 * and so does a page or a dialog that loses the focus. */
import type { Locator, Page } from '@playwright/test'
import { expect, open, settled, test } from './support'

const words = {
  en: {
    newJob: 'New job',
    name: 'Name',
    service: /^Service: /,
    handler: /^Handler: /,
    problem: /The hour 25 is not between 0 and 23/,
    fix: 'One problem has to be fixed',
    start: 'Start',
    startDialog: /^Start /,
    failed: 'Failed',
    more: 'More actions',
    edit: 'Edit the job',
    section: 'Task',
    param: /^Parameter/,
    running: 'Running',
    follow: 'Follow',
    stop: 'Stop',
    stopIt: 'Stop the task',
    stopped: 'Stopped',
    log: 'Log of the task',
    again: 'Run again',
    keys: 'Keyboard shortcuts',
    startKey: 'Start the job',
  },
  zh: {
    newJob: '新增任务',
    name: '任务名称',
    service: /^执行器服务: /,
    handler: /^JobHandler: /,
    problem: /时 25 不在 0 到 23 之间/,
    fix: '有 1 个问题需要修正',
    start: '执行一次',
    startDialog: /^执行一次 /,
    failed: '失败',
    more: '更多操作',
    edit: '编辑任务',
    section: '任务配置',
    param: /^任务参数/,
    running: '进行中',
    follow: '跟随',
    stop: '终止',
    stopIt: '终止',
    stopped: '已终止',
    log: '执行日志',
    again: '重新执行',
    keys: '键盘快捷键',
    startKey: '执行任务',
  },
}

/** Presses Tab until the control has the focus. */
async function tabTo(page: Page, to: Locator, most = 60) {
  await expect(to).toBeAttached()
  for (let count = 0; count < most; count += 1) {
    if (await to.evaluate((element) => element === document.activeElement)) return
    await page.keyboard.press('Tab')
  }
  const at = await page.evaluate(() => document.activeElement?.outerHTML.slice(0, 200))
  throw new Error(`${most} times Tab do not reach ${to}; the focus is on ${at}`)
}

/** The focus is on something, not on the document, where a screen reader would begin again. */
async function expectFocus(page: Page) {
  await expect
    .poll(() => page.evaluate(() => document.activeElement?.tagName ?? 'BODY'), { message: 'the focus' })
    .not.toBe('BODY')
}

/** Opens a list by its button, types, takes what it finds; the focus is back on the button. */
async function choose(page: Page, button: Locator, text: string) {
  await tabTo(page, button)
  await page.keyboard.press('Enter')
  await page.keyboard.type(text)
  await expect(page.getByRole('option').first()).toBeVisible()
  await page.keyboard.press('Enter')
  await expect(page.getByRole('option')).toHaveCount(0)
  await expect(button).toBeFocused()
}

/** Goes down in a menu to an entry, and takes it. */
async function pick(page: Page, entry: Locator) {
  await expect(entry).toBeVisible()
  for (let count = 0; count < 12; count += 1) {
    if (await entry.evaluate((element) => element === document.activeElement)) break
    await page.keyboard.press('ArrowDown')
  }
  await expect(entry).toBeFocused()
  await page.keyboard.press('Enter')
}

for (const language of ['en', 'zh'] as const) {
  const w = words[language]

  test(`a job is made, broken, repaired, followed and stopped with keys alone (${language})`, async ({
    page,
    watch,
  }) => {
    watch.allow.push(/the server responded with a status of (404|422)/)
    const name = `by-keys-${language}-${Date.now().toString(36)}`
    const main = page.getByRole('main')
    const status = (text: string) => main.getByRole('status').filter({ hasText: text }).first()
    await open(page, '/overview', { language })
    await settled(page)

    // The top bar names the key of the palette, and the palette has the page.
    await page.keyboard.press('Control+k')
    await expect(page.getByRole('dialog').getByRole('combobox')).toBeFocused()
    await page.keyboard.type(w.newJob)
    await expect(page.getByRole('option', { name: w.newJob })).toBeVisible()
    await page.keyboard.press('Enter')

    await expect(page.getByRole('textbox', { name: w.name, exact: true })).toBeFocused()
    await page.keyboard.type(name)
    await choose(page, main.getByRole('button', { name: w.service }), 'billing')

    const cron = page.getByRole('textbox', { name: 'Cron', exact: true })
    await tabTo(page, cron)
    await page.keyboard.press('Control+a')
    await page.keyboard.type('0 0 25 * * ?')
    await choose(page, main.getByRole('button', { name: w.handler }), 'dunning-mail')
    await page.keyboard.press('Control+s')
    await expect(page.getByRole('alert').filter({ hasText: w.fix })).toBeVisible()
    await expect(cron).toBeFocused()
    await expect(cron).toHaveAccessibleDescription(w.problem)
    await page.keyboard.press('Control+a')
    await page.keyboard.type('0 0 5 * * ?')
    await page.keyboard.press('Control+s')
    await expect(page.getByRole('heading', { name, level: 1 })).toBeVisible()
    await expectFocus(page)

    // The sheet says how to start it; so does the button.
    await page.keyboard.press('?')
    const sheet = page.getByRole('dialog').filter({ hasText: w.keys })
    await expect(sheet.getByText(w.startKey)).toBeVisible()
    await page.keyboard.press('Escape')
    await expect(sheet).toHaveCount(0)
    await expectFocus(page)
    await tabTo(page, main.getByRole('button', { name: w.start, exact: true }).first())
    await page.keyboard.press('Enter')
    const dialog = page.getByRole('dialog')
    await expect(dialog.getByRole('heading', { name: w.startDialog })).toBeVisible()
    await expect.poll(() => dialog.evaluate((it) => it.contains(document.activeElement))).toBe(true)
    await page.keyboard.press('Control+Enter')
    await expect(page).toHaveURL(/\/tasks\/\d+/)
    await expect(status(w.failed)).toBeVisible()
    await expect(page.getByRole('alert').first()).toContainText('12 reminders')
    await expectFocus(page)

    // From the failure to the definition, another handler and its param.
    await tabTo(page, main.getByRole('button', { name: w.more, exact: true }))
    await page.keyboard.press('Enter')
    await pick(page, page.getByRole('menuitem', { name: w.edit }))
    await expect(page).toHaveURL(/\/edit/)
    await expect(main.getByRole('button', { name: w.handler })).toBeVisible()
    await expectFocus(page)
    // The form has sixty stops of the Tab key; the first ones lead to its sections.
    await tabTo(page, page.getByRole('button', { name: w.section, exact: true }))
    await page.keyboard.press('Enter')
    await choose(page, main.getByRole('button', { name: w.handler }), 'invoice-run')
    const param = main.getByRole('textbox', { name: w.param })
    await tabTo(page, param)
    await page.keyboard.type('{"month": "2026-12", "customers": 900, "dry_run": true, "pause_ms": 60}')
    await page.keyboard.press('Control+s')
    await expect(page.getByRole('heading', { name, level: 1 })).toBeVisible()
    await expectFocus(page)

    // Again from the palette: the job, then what can be done with it.
    await page.keyboard.press('Control+k')
    await page.keyboard.type(name)
    const entry = page.getByRole('option', { name: w.start, exact: true })
    await expect(entry).toBeVisible()
    for (let count = 0; count < 5; count += 1) {
      if ((await entry.getAttribute('aria-selected')) === 'true') break
      await page.keyboard.press('ArrowDown')
    }
    await page.keyboard.press('Enter')
    await expect(dialog.getByRole('heading', { name: w.startDialog })).toBeVisible()
    await expect.poll(() => dialog.evaluate((it) => it.contains(document.activeElement))).toBe(true)
    await page.keyboard.press('Control+Enter')
    await expect(page).toHaveURL(/\/tasks\/\d+/)

    // The log follows by itself; the arrows scroll back, and the button follows again.
    await expect(status(w.running)).toBeVisible()
    const log = page.getByRole('region', { name: w.log }).last()
    await expect(log).toContainText('wrote 20 of 900')
    const follow = page.getByRole('button', { name: w.follow, exact: true })
    await expect(follow).toHaveAttribute('aria-pressed', 'true')
    await tabTo(page, log)
    await expect(log).toContainText('wrote 40 of 900')

    await page.keyboard.press('?')
    await page.keyboard.press('Escape')
    await expect(log).toBeFocused()
    const stop = main.getByRole('button', { name: w.stop, exact: true })
    for (let count = 0; count < 40; count += 1) {
      if (await stop.evaluate((element) => element === document.activeElement)) break
      await page.keyboard.press('Shift+Tab')
    }
    await expect(stop).toBeFocused()
    await page.keyboard.press('Enter')
    await expect(page.getByRole('dialog').getByRole('button', { name: w.stopIt })).toBeFocused()
    await page.keyboard.press('Enter')
    await expect(status(w.stopped)).toBeVisible()
    await expect(main.getByRole('button', { name: w.again, exact: true })).toBeVisible()
    await expectFocus(page)
    // The job stays: its tasks are in lists of other tests, which ask for its statistics.
  })
}
