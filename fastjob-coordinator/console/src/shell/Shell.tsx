import { Outlet, useRouter, useRouterState } from '@tanstack/react-router'
import { lazy, type RefObject, Suspense, useEffect, useRef } from 'react'
import { useOverview } from '../api/queries'
import { useI18n } from '../i18n'
import { useKeys, usePrefix } from '../lib/keys'
import { useStore } from '../lib/store'
import { Go, Icon, Mark, useGo, useService } from '../ui'
import { Toasts } from '../ui/Toast'
import { Banners } from './Banners'
import { phonePlaces, places, settingsPlace } from './places'
import { Shortcuts } from './Shortcuts'
import { sheet } from './sheets'
import { nextTheme, Top } from './Top'

const loadPalette = () => import('./Palette').then(({ Palette: component }) => ({ default: component }))
const Palette = lazy(loadPalette)

/** The frame around every page: rail, top bar, banners, and the bar on phones. */
export function Shell() {
  const { t, f } = useI18n()
  const go = useGo()
  const service = useService()
  const path = useRouterState({ select: (state) => state.location.pathname })
  const shown = useStore(sheet)
  const main = useRef<HTMLElement>(null)
  const { data } = useOverview(service)

  usePrefix('g')
  useKeys({
    'mod+k': () => sheet.set((now) => (now === 'palette' ? null : 'palette')),
    '?': () => sheet.set('keys'),
    T: () => nextTheme(),
    ...Object.fromEntries([...places, settingsPlace].map(({ id, key }) => [`g ${key}`, () => go(`/${id}`)])),
  })
  // Loaded before it is asked for, so that no key that is typed into it is lost.
  useEffect(() => {
    const timer = setTimeout(() => void loadPalette(), 1500)
    return () => clearTimeout(timer)
  }, [])
  const current = [...places, settingsPlace].find(({ id }) => path.startsWith(`/${id}`))?.id
  useEffect(() => {
    // `/jobs/billing.mail` is also named after the job.
    const thing = /^\/[a-z]+\/([^/]+)/.exec(path)?.[1]
    const name = current && t.nav[current]
    document.title = [thing && thing !== 'new' ? decodeURIComponent(thing) : '', name, t.app]
      .filter(Boolean)
      .join(' · ')
  }, [path, current, t])
  usePageFocus(main)

  const abandoned = (data?.attention ?? []).reduce(
    (sum, one) => sum + (one.kind === 'alarm_given_up' ? one.count : 0),
    0,
  )
  const counts: Partial<Record<string, { n: number; bad?: boolean }>> = data
    ? {
        jobs: { n: data.jobs.total },
        executors: { n: data.executors.connected },
        ...(abandoned > 0 && { alarms: { n: abandoned, bad: true } }),
      }
    : {}
  const line = ({ id, icon }: { id: keyof typeof t.nav; icon: (typeof places)[number]['icon'] | 'gear' }) => (
    <Go key={id} to={`/${id}`} aria-current={id === current ? 'page' : undefined} data-place={t.nav[id]}>
      <Icon name={icon} />
      <span>{t.nav[id]}</span>
      {counts[id] && <span className={counts[id].bad ? 'n bad' : 'n'}>{f.n(counts[id].n)}</span>}
    </Go>
  )
  return (
    <div className="app">
      <button type="button" className="skip btn main" onClick={() => main.current?.focus()}>
        {t.skip}
      </button>
      <aside className="rail">
        <Go className="brand" to="/overview">
          <Mark />
          <span>{t.app}</span>
        </Go>
        <nav className="nav" aria-label={t.pages}>
          {places.map(line)}
        </nav>
        <nav className="nav foot" aria-label={t.nav.settings}>
          {line(settingsPlace)}
        </nav>
      </aside>
      <Top onSearch={() => sheet.set('palette')} onKeys={() => sheet.set('keys')} />
      <main id="main" ref={main} tabIndex={-1}>
        <Banners />
        <Outlet />
      </main>
      <nav className="tabbar" aria-label={t.pages}>
        {places.filter(({ id }) => (phonePlaces as readonly string[]).includes(id)).map(line)}
      </nav>
      {shown === 'palette' && (
        <Suspense>
          <Palette onClose={() => sheet.set(null)} />
        </Suspense>
      )}
      {shown === 'keys' && <Shortcuts onClose={() => sheet.set(null)} />}
      <Toasts />
    </div>
  )
}

/** Another page takes the focus if what had it is gone: keys and screen readers go on in the content. */
function usePageFocus(main: RefObject<HTMLElement | null>) {
  const router = useRouter()
  useEffect(
    () =>
      router.subscribe('onRendered', ({ pathChanged }) => {
        if (!pathChanged) return
        // After fields that take the focus themselves.
        requestAnimationFrame(() => {
          if (document.activeElement === document.body) main.current?.focus({ preventScroll: true })
        })
      }),
    [router, main],
  )
}
