import { defineConfig } from '@playwright/test'

/** The tests run against a real coordinator: `cargo test -p fastjob-tests --test console` starts it and sets the variables. */
const screens = process.env.CONSOLE_SCREENS ?? '../../target/screens'
const asRoot = process.getuid?.() === 0

export default defineConfig({
  testDir: './tests',
  outputDir: `${screens}/results`,
  reporter: [['line']],
  // The coordinator, its executors, the browser and the tests share a machine of two cores.
  workers: 1,
  // A machine of two cores that does other work may miss a time limit once, not twice.
  retries: 1,
  forbidOnly: true,
  timeout: 180_000,
  expect: { timeout: 20_000 },
  use: {
    browserName: 'chromium',
    actionTimeout: 20_000,
    navigationTimeout: 30_000,
    locale: 'en-US',
    timezoneId: 'Asia/Shanghai',
    trace: 'retain-on-failure',
    launchOptions: {
      executablePath: process.env.CONSOLE_CHROMIUM ?? '/usr/bin/chromium',
      args: asRoot ? ['--no-sandbox'] : [],
    },
  },
})
