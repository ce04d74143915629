import { useLivePart } from '../api/live'
import { useExecutors, useServices } from '../api/queries'
import { useI18n } from '../i18n'
import { offsetName, zoneOf } from '../i18n/format'
import { setSetting, settings, type Theme, useSettings, type ZoneChoice } from '../lib/settings'
import { Button, Go, Icon, Mark, Menu, Select, useNow, usePatchSearch, useService } from '../ui'

const themes: readonly Theme[] = ['system', 'light', 'dark']
/** Turns to the next theme. */
export function nextTheme(): void {
  const now = themes.indexOf(settings.get().theme)
  setSetting('theme', themes[(now + 1) % themes.length] ?? 'system')
}

export const nextLanguage = () => setSetting('language', settings.get().language === 'en' ? 'zh' : 'en')

function ServiceSwitch() {
  const { t } = useI18n()
  const service = useService()
  const patch = usePatchSearch()
  const services = useServices()
  // A coordinator without `GET /services` still knows those of its executors.
  const executors = useExecutors({ enabled: services.isError })
  const names = services.data
    ? services.data.items.map((one) => one.service)
    : [...new Set(executors.data?.items.map((one) => one.service))]
  const all = service && !names.includes(service) ? [...names, service] : names
  return (
    <Select
      button="bare"
      label={t.top.service}
      value={service ?? null}
      placeholder={t.top.allServices}
      clearable={t.top.allServices}
      options={all.sort().map((value) => ({ value }))}
      onChange={(value) => patch({ service: value ?? undefined }, { replace: false })}
    />
  )
}

/** Whether the page is live, and since when it is not. */
export function LiveDot() {
  const { t, f, say } = useI18n()
  const mode = useLivePart((state) => state.mode)
  const since = useLivePart((state) => state.since)
  const held = useLivePart((state) => state.holds.length > 0)
  const pending = useLivePart((state) => state.pending)
  const now = useNow(mode === 'reconnecting')
  const paused = held && mode !== 'reconnecting'
  const words = paused
    ? pending > 0
      ? say(t.live.pending, { n: pending })
      : t.live.paused
    : mode === 'reconnecting'
      ? say(t.live.reconnecting, { for: f.coarse(now - (since ?? now)) })
      : t.live[mode]
  const look = mode === 'reconnecting' ? ' lost' : paused ? ' held' : mode === 'live' ? '' : ' slow'
  return (
    <span
      className={`live hide-s${look}`}
      role="status"
      {...(mode === 'polling' && { 'data-tip': t.live.pollingTitle })}
    >
      {words}
    </span>
  )
}

function ZoneSwitch() {
  const { t } = useI18n()
  const { zone } = useSettings()
  const name = zone === 'job' ? t.top.jobZone : offsetName(zoneOf(zone))
  const choices: readonly ZoneChoice[] = ['browser', 'job', 'utc']
  return (
    <Menu
      label={t.top.zone}
      entries={choices.map((value) => ({
        label:
          value === 'browser' ? (
            <>
              {t.top.zones.browser} <span className="grey">{zoneOf('browser')}</span>
            </>
          ) : (
            t.top.zones[value]
          ),
        checked: value === zone,
        onSelect: () => setSetting('zone', value),
      }))}
    >
      <button type="button" className="btn bare hide-s" data-tip={t.top.zone}>
        <span className="sr">{t.top.zone}: </span>
        {name}
        <Icon name="down" />
      </button>
    </Menu>
  )
}

/** The bar on top: service, search, live, zone, language, theme. */
export function Top({ onSearch, onKeys }: { onSearch: () => void; onKeys: () => void }) {
  const { t, say } = useI18n()
  const { theme, language } = useSettings()
  return (
    <header className="top">
      <span>
        <Go className="only-s brand" to="/overview" aria-label={t.nav.overview}>
          <Mark />
        </Go>
        <ServiceSwitch />
      </span>
      <button type="button" className="find" onClick={onSearch} aria-keyshortcuts="Control+K">
        <Icon name="search" />
        <span>{t.top.search}</span>
        <span className="keys">
          <kbd>Ctrl</kbd> <kbd>K</kbd>
        </span>
      </button>
      <span>
        <LiveDot />
        <ZoneSwitch />
        <button
          type="button"
          className="btn bare"
          lang={language === 'en' ? 'zh-CN' : 'en'}
          onClick={nextLanguage}
          data-tip={t.top.languageLabel}
        >
          {t.top.language}
        </button>
        <Button
          look="bare"
          icon="sun"
          label={say(t.top.theme, { theme: t.top.themes[theme] })}
          onClick={nextTheme}
        />
        <Button look="bare" icon="keyboard" label={t.keys.title} className="hide-s hide-m" onClick={onKeys} />
        <Go className="btn bare icon only-s" to="/settings" aria-label={t.nav.settings}>
          <Icon name="gear" />
        </Go>
      </span>
    </header>
  )
}
