import { useQueryClient } from '@tanstack/react-query'
import { type ReactNode, useId } from 'react'
import { apiUrl, session } from '../../api/client'
import { useAbout, useSession } from '../../api/queries'
import { useI18n } from '../../i18n'
import { type Settings, setSetting, useSettings } from '../../lib/settings'
import { sheet } from '../../shell/sheets'
import { Button, KeyValue, PageHead, ProblemNote, Seg, Skeleton, Time, toast, useNow } from '../../ui'
import './settings.css'

/** What this browser remembers, and what the coordinator is. */
export default function SettingsPage() {
  const { t, f, say } = useI18n()
  const words = t.settings
  const settings = useSettings()
  const now = useNow()
  const choose = <Key extends keyof Settings>(
    key: Key,
    label: string,
    options: Record<string, string>,
    hint?: ReactNode,
  ) => (
    <Line label={label} hint={hint}>
      <Seg
        label={label}
        value={String(settings[key])}
        options={Object.entries(options).map(([value, name]) => ({ value, label: name }))}
        onChange={(value) => setSetting(key, value as Settings[Key])}
      />
    </Line>
  )
  return (
    <>
      <PageHead title={words.title} sub={words.sub} />
      <div className="settings">
        <section className="fs" aria-label={words.look}>
          <h2>{words.look}</h2>
          {choose('language', words.language, words.languages)}
          {choose('theme', words.theme, words.themes)}
          {choose('density', words.density, words.densities, words.densityHint)}
        </section>
        <section className="fs" aria-label={words.behaviour}>
          <h2>{words.behaviour}</h2>
          {choose(
            'zone',
            words.zone,
            words.zones,
            say(words.zoneHint, { time: f.clock(now), zone: f.zone() }),
          )}
          {choose('startPage', words.start, { overview: t.nav.overview, jobs: t.nav.jobs })}
          <Line label={words.params} hint={words.paramsHint}>
            <Seg
              label={words.params}
              value={settings.showParams ? 'on' : 'off'}
              options={[
                { value: 'on', label: words.paramsOn },
                { value: 'off', label: words.paramsOff },
              ]}
              onChange={(value) => setSetting('showParams', value === 'on')}
            />
          </Line>
          <Line label={words.keys} hint={words.keysHint}>
            <Button icon="keyboard" onClick={() => sheet.set('keys')}>
              {words.keysOpen}
            </Button>
          </Line>
        </section>
        <About />
      </div>
    </>
  )
}

function Line({ label, hint, children }: { label: string; hint?: ReactNode; children: ReactNode }) {
  const id = useId()
  return (
    <div className="f">
      <span className="lab" id={id}>
        {label}
      </span>
      <div>
        {children}
        {hint && <p className="hint">{hint}</p>}
      </div>
    </div>
  )
}

function About() {
  const { t } = useI18n()
  const words = t.settings
  const client = useQueryClient()
  const { data: current } = useSession()
  const { data, error, isPending } = useAbout()
  const signOut = async () => {
    try {
      await session.signOut()
      await client.resetQueries({ queryKey: ['session'] })
    } catch (failed) {
      toast.failed(failed)
    }
  }
  return (
    <section className="fs" aria-label={words.about}>
      <h2>{words.about}</h2>
      {isPending ? (
        <Skeleton width={320} />
      ) : data ? (
        <KeyValue
          items={[
            [words.version, data.version],
            [
              words.store,
              data.store === 'sqlite' ? 'SQLite' : data.store === 'postgres' ? 'PostgreSQL' : data.store,
            ],
            [words.since, <Time key="since" at={data.started_at} />],
            [words.clock, <Time key="clock" at={data.now} look="clock" />],
            [words.cluster, data.cluster ? words.yes : words.no],
            [words.logs, data.logs ? words.kept : words.notKept],
          ]}
        />
      ) : (
        <ProblemNote error={error} />
      )}
      <Line label={words.api} hint={words.apiHint}>
        <a className="link line" href={apiUrl('/openapi.json')}>
          {words.openapi}
        </a>
      </Line>
      <Line label={words.licences}>
        <p className="grey line">{words.licencesHint}</p>
      </Line>
      {current?.needed && (
        <Line label={words.session}>
          <Button icon="out" onClick={signOut}>
            {words.signOut}
          </Button>
        </Line>
      )}
    </section>
  )
}
