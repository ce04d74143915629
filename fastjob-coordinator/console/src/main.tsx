import { MantineProvider } from '@mantine/core'
import { QueryClientProvider } from '@tanstack/react-query'
import { RouterProvider } from '@tanstack/react-router'
import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import './css/index.css'
import { NONCE } from './api/client'
import { queryClient } from './api/queries'
import { I18nProvider, loadLanguage } from './i18n'
import { followSettings, isDark, settings, useSettings } from './lib/settings'
import { router } from './routes'
import { Gate } from './shell/Gate'
import { Sprite } from './ui/Icon'
import { Tip } from './ui/Tip'

function App() {
  const { theme } = useSettings()
  return (
    // Mantine gives behaviour only: its looks are not loaded, and it writes no style elements of its own.
    <MantineProvider
      getStyleNonce={() => NONCE}
      forceColorScheme={isDark(theme) ? 'dark' : 'light'}
      withCssVariables={false}
      withGlobalClasses={false}
      withStaticClasses={false}
    >
      <QueryClientProvider client={queryClient}>
        <I18nProvider>
          <Sprite />
          <Gate>
            <RouterProvider router={router} />
          </Gate>
          <Tip />
        </I18nProvider>
      </QueryClientProvider>
    </MantineProvider>
  )
}

// Its relative address would lead elsewhere as soon as the path of the page changes.
for (const icon of document.querySelectorAll<HTMLLinkElement>('link[rel=icon]'))
  icon.setAttribute('href', icon.href)

followSettings()
// The words are there before the first paint, so that no text changes its language under the eyes.
void loadLanguage(settings.get().language).finally(() => {
  const root = document.getElementById('root')
  if (root) {
    createRoot(root).render(
      <StrictMode>
        <App />
      </StrictMode>,
    )
  }
})
