import { readFileSync } from 'node:fs'
import react from '@vitejs/plugin-react'
import type { Plugin } from 'vite'
import { defineConfig } from 'vitest/config'

/** `index.html` has placeholders that the coordinator fills when it serves the page. Vite's dev server
 * fills them here; the build keeps them and lets the assets start with `%ASSETS%/`. */
function placeholders(): Plugin {
  return {
    name: 'fastjob-placeholders',
    transformIndexHtml: {
      order: 'post',
      handler: (html, context) =>
        context.server
          ? html.replaceAll('%BASE%', '').replaceAll('%NONCE%', '').replaceAll('%ASSETS%/', '/console/')
          : html.replaceAll('="./', '="%ASSETS%/').replaceAll(' crossorigin', ''),
    },
  }
}

/** `boot.js` names the scripts of pages, to load them early: each must be in the build. */
function earlyScripts(): Plugin {
  return {
    name: 'fastjob-early-scripts',
    generateBundle(_, bundle) {
      const boot = readFileSync(new URL('public/boot.js', import.meta.url), 'utf8')
      const names = [...boot.matchAll(/\['[^']+', '(\w+)'\]/g)].map((match) => `${match[1]}.js`)
      const missing = ['zh.js', ...names].filter((name) => !(name in bundle))
      if (names.length === 0 || missing.length > 0) {
        this.error(`boot.js names scripts that are not in the build: ${missing.join(', ')}`)
      }
    },
  }
}

const coordinator = process.env.FASTJOB_SERVER ?? 'http://127.0.0.1:7070'

export default defineConfig(({ command }) => ({
  base: command === 'serve' ? '/console/' : './',
  plugins: [react(), placeholders(), earlyScripts()],
  resolve: { tsconfigPaths: true },
  server: {
    host: '127.0.0.1',
    proxy: { '/api': coordinator, '/readyz': coordinator, '/console/session': coordinator },
  },
  build: {
    target: ['chrome109', 'firefox115', 'safari16'],
    assetsInlineLimit: 0,
    assetsDir: '',
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 900,
    // One file of CSS is smaller than many, and the parts that pages share are one chunk.
    cssCodeSplit: false,
    rolldownOptions: {
      output: {
        entryFileNames: '[name].js',
        chunkFileNames: '[name].js',
        assetFileNames: '[name][extname]',
        codeSplitting: {
          groups: [
            // Loaded when somebody imports a file.
            { name: 'toml', test: /node_modules\/smol-toml/ },
            { name: 'vendor', test: /node_modules/ },
            {
              name: 'parts',
              test: /src\/(start|schedule|pages)\/(?!.*(search|range)\.ts$)/,
              minShareCount: 2,
            },
            // Pages of one kind that are small are one file.
            { name: 'executors', test: /src\/pages\/(executor|executors|handlers)\/(?!.*search\.ts$)/ },
          ],
        },
      },
    },
  },
  test: { environment: 'node', include: ['src/**/*.test.{ts,tsx}'] },
}))
