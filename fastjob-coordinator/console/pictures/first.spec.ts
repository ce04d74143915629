import fs from 'node:fs'
import { test } from '@playwright/test'
import { Camera } from './camera'
import { Clock } from './clock'
import { need, port, work } from './paths'
import { Program } from './program'

const NOW = '2026-12-02T07:40:00Z'

test('pictures of a new coordinator', async ({ browser }) => {
  const clock = new Clock(`${work}/new.clock`, NOW)
  const options = ['--empty', '--port', port, '--console-dir', 'dist']
  const scene = Program.start(need('CONSOLE_SCENE'), options, clock)
  try {
    await scene.line(/^\{/)
    await new Camera(browser, Date.parse(NOW)).take({
      name: 'first-steps',
      to: '/overview',
      languages: ['en', 'zh'],
      size: { width: 1120, height: 1200 },
      of: (page) => [page.locator('.first h1'), page.locator('.first .steps')],
      margin: 'around',
    })
  } finally {
    await scene.end()
  }
})

test('pictures of the quickstart', async ({ browser }) => {
  const clock = new Clock(`${work}/quickstart.clock`, '2026-12-02T07:15:00Z')
  const cwd = `${work}/quickstart`
  fs.mkdirSync(cwd)
  const env = { FASTJOB_LISTEN: `127.0.0.1:${port}`, FASTJOB_CONSOLE_DIR: `${process.cwd()}/dist` }
  const quickstart = Program.start(need('PICTURES_QUICKSTART'), [], clock, { cwd, env })
  try {
    await quickstart.line(/^FastJob runs on/)
    clock.run(20)
    await clock.reaches(NOW)
    clock.run(0.02, Date.parse(NOW))
    await new Camera(browser, Date.parse(NOW) + 2_000).take({
      name: 'quickstart',
      to: '/overview?range=1h',
      languages: ['en', 'zh'],
      themes: ['light', 'dark'],
      size: { width: 1120, height: 800 },
    })
  } finally {
    await quickstart.end()
  }
})
