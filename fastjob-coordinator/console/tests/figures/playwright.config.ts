import { defineConfig } from '@playwright/test'

/** Measures the console in a browser. `cargo bench -p fastjob-tests --bench console` starts the coordinator and sets
 * the variables. The usual tests do not find these files: their names do not end in `.spec.ts`. */
export default defineConfig({
  testDir: '.',
  testMatch: '**/*.figure.ts',
  outputDir: '../../../../target/bench/console-results',
  reporter: [['line']],
  workers: 1,
  // A figure that needs a second attempt is not a figure.
  retries: 0,
  timeout: 0,
})
