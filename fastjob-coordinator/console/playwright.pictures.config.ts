import { defineConfig } from '@playwright/test'
import tests from './playwright.config'

const { launchOptions } = tests.use ?? {}
const port = process.env.PICTURES_PORT ?? '7070'

/** Only takes the pictures of the documentation: `scripts/screenshots`. */
export default defineConfig({
  ...tests,
  testDir: './pictures',
  retries: 0,
  timeout: 1_200_000,
  use: {
    ...tests.use,
    trace: 'off',
    launchOptions: {
      ...launchOptions,
      // The pictures show the usual port, which another coordinator may have.
      args: [...(launchOptions?.args ?? []), `--host-resolver-rules=MAP 127.0.0.1:7070 127.0.0.1:${port}`],
    },
  },
})
