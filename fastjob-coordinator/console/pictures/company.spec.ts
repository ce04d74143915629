import { test } from '@playwright/test'
import { Camera } from './camera'
import { Clock } from './clock'
import { Company, NOW } from './company'
import { need, work } from './paths'
import { subjects } from './subjects'

test('pictures of a company', async ({ browser }) => {
  const company = await Company.open(need('CONSOLE_SCENE'), new Clock(`${work}/company.clock`, NOW))
  try {
    const camera = new Camera(browser, Date.parse(NOW) + 2_000)
    for (const subject of await subjects(company))
      await test.step(subject.name, async () => await camera.take(subject))
  } finally {
    await company.end()
  }
})
