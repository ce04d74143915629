import { createStore, local, useStore } from './store'

export type Language = 'en' | 'zh'
export type Theme = 'system' | 'light' | 'dark'
/** Whose clock times are shown in: the browser's, the job's own, or UTC. */
export type ZoneChoice = 'browser' | 'job' | 'utc'
export type Density = 'normal' | 'compact'
export type StartPage = 'overview' | 'jobs'

export interface Settings {
  language: Language
  theme: Theme
  zone: ZoneChoice
  density: Density
  startPage: StartPage
  /** Whether params and results are shown at once, or after a click. */
  showParams: boolean
}

const defaults: Settings = {
  language: navigator.language.toLowerCase().startsWith('zh') ? 'zh' : 'en',
  theme: 'system',
  zone: 'browser',
  density: 'normal',
  startPage: 'overview',
  showParams: true,
}

export const settings = createStore<Settings>({
  ...defaults,
  ...local.read<Partial<Settings>>('settings', {}),
})

export function setSetting<K extends keyof Settings>(key: K, value: Settings[K]): void {
  settings.set((now) => ({ ...now, [key]: value }))
  local.write('settings', settings.get())
}

export const useSettings = () => useStore(settings)

const dark = globalThis.matchMedia?.('(prefers-color-scheme: dark)')

export function isDark(theme: Theme): boolean {
  return theme === 'dark' || (theme === 'system' && (dark?.matches ?? false))
}

/** Puts theme, density and language on the root element, now and whenever they change. */
export function followSettings(): void {
  const apply = () => {
    const { theme, density, language } = settings.get()
    const root = document.documentElement
    root.classList.toggle('dark', isDark(theme))
    root.classList.toggle('compact', density === 'compact')
    root.lang = language === 'zh' ? 'zh-CN' : 'en'
  }
  apply()
  settings.subscribe(apply)
  dark?.addEventListener('change', apply)
}
