import { defineConfig } from '@playwright/test'
import tests from './playwright.config'

/** Only takes pictures: `npm run sheet`. */
export default defineConfig({ ...tests, testDir: './sheet', retries: 0 })
