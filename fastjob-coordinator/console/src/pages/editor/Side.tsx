import { useMemo } from 'react'
import type { JobDraft } from '../../api/types'
import { useI18n } from '../../i18n'
import { offsetName } from '../../i18n/format'
import { parseDuration } from '../../schedule/duration'
import { millisWords, spanWords } from '../../schedule/words'
import { offsetAt, wallAt } from '../../schedule/zone'
import { CopyButton, cx, Skeleton, Time } from '../../ui'
import type { Form } from './model/form'
import { summary } from './model/summary'
import { tomlLines, toToml } from './model/toml'
import { type NextFires, useFires } from './useFires'

/** What the job will do, when it fires next, and the file that it would be. */
export function Side({ form, draft }: { form: Form; draft: JobDraft }) {
  const { t, language } = useI18n()
  const words = t.editor.side
  const fires = useFires(form)
  const pieces = useMemo(() => summary(form, language), [form, language])
  const lines = useMemo(() => tomlLines(draft), [draft])
  return (
    <aside className="side" aria-label={t.editor.sections.side}>
      <div>
        <h2>{words.summary}</h2>
        <p className="say">
          {pieces.map(({ text, strong }, index) =>
            // biome-ignore lint/suspicious/noArrayIndexKey: the pieces of a sentence do not move.
            strong ? <b key={index}>{text}</b> : <span key={index}>{text}</span>,
          )}
        </p>
      </div>
      <div>
        <h2>{words.fires}</h2>
        <FireList fires={fires} form={form} />
      </div>
      <div>
        <h2 className="ed-h">
          {words.toml}
          <span className="end">
            <CopyButton text={toToml(draft)} label={words.copyToml} />
          </span>
        </h2>
        <pre className="toml" tabIndex={0} aria-label={words.toml}>
          <i>[[job]]</i>
          {lines.map(({ name, value }) => (
            <span key={name}>
              {'\n'}
              <i>{name} =</i> {value}
            </span>
          ))}
        </pre>
      </div>
    </aside>
  )
}

function FireList({ fires, form }: { fires: NextFires; form: Form }) {
  const { t, say, language } = useI18n()
  const words = t.editor.side
  switch (fires.kind) {
    case 'fires': {
      const withYears = fires.fires.some(
        (at) => wallAt(at, form.zone).year !== wallAt(Date.now(), form.zone).year,
      )
      return (
        <>
          <ol className={cx('fires', fires.loading && 'ed-stale', withYears && 'ed-years')}>
            {fires.fires.map((at, index) => (
              <Fire key={at} at={at} zone={form.zone} before={fires.fires[index - 1]} />
            ))}
          </ol>
          <p className="hint grey small">
            {[
              say(words.firesNote, { zone: form.zone }),
              parseDuration(form.jitter) ? say(words.jitter, { for: spanWords(form.jitter, language) }) : '',
              fires.skipped > 0 ? say(words.skipped, { n: fires.skipped }) : '',
            ]
              .filter(Boolean)
              .join(' · ')}
          </p>
        </>
      )
    }
    case 'loading':
      return (
        <ol className="fires" aria-hidden="true">
          {[1, 2, 3, 4, 5].map((row) => (
            <li key={row}>
              <Skeleton width={28} />
              <Skeleton width={44} />
              <Skeleton width={56} />
              <Skeleton width={60} />
            </li>
          ))}
        </ol>
      )
    case 'afterEnd':
      return (
        <p className="grey">
          {say(fires.started ? words.afterEndAt : words.afterEnd, {
            for: millisWords(fires.delay, language),
          })}
        </p>
      )
    case 'noneSoon':
      return <p className="wait">{say(words.noneSoon, { n: fires.count })}</p>
    case 'never':
      return <p className="wait">{words.never}</p>
    case 'none':
      return <p className="grey">{words.noFires}</p>
    case 'parent':
      return <p className="grey">{words.afterParent}</p>
    case 'wrong':
      return <p className="grey">{words.wrong}</p>
    case 'unreachable':
      return <p className="grey">{words.unreachable}</p>
  }
}

/** A fire in the zone of the job. */
function Fire({ at, zone, before }: { at: number; zone: string; before: number | undefined }) {
  const { t, say, language } = useI18n()
  const locale = language === 'zh' ? 'zh-CN' : 'en-GB'
  const part = (options: Intl.DateTimeFormatOptions) =>
    new Intl.DateTimeFormat(locale, { timeZone: zone, ...options }).format(at)
  const clock = { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' } as const
  const otherYear = wallAt(at, zone).year !== wallAt(Date.now(), zone).year
  const changed = before !== undefined && offsetAt(before, zone) !== offsetAt(at, zone)
  return (
    <>
      {changed && (
        <li className="ed-clocks wait">
          {say(t.editor.side.clockChange, {
            from: offsetName(zone, new Date(before)),
            to: offsetName(zone, new Date(at)),
          })}
        </li>
      )}
      <li>
        <span className="grey">{part({ weekday: 'short' })}</span>
        <span className="nw">
          {part({ day: 'numeric', month: 'short', ...(otherYear && { year: '2-digit' }) })}
        </span>
        <span>{part(clock)}</span>
        <span className="grey">
          <Time at={new Date(at).toISOString()} zone={zone} />
        </span>
      </li>
    </>
  )
}
