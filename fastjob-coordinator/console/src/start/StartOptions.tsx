import { useExecutors } from '../api/queries'
import type { ExecutorView, JobView } from '../api/types'
import { useI18n } from '../i18n'
import { ZoneSelect } from '../schedule/ZoneSelect'
import { toInstant } from '../schedule/zone'
import { Checkbox, cx, Icon, Seg, Select, Time } from '../ui'
import type { StartForm, When, WhenProblem } from './request'

interface Props {
  id: string
  form: StartForm
  set: (patch: Partial<StartForm>) => void
  view: JobView
  rerun: { shards?: number; rerunBefore?: boolean } | undefined
  problem: WhenProblem | null
}

/** When, where, and what is rarely needed. */
export function StartOptions({ id, form, set, view, rerun, problem }: Props) {
  const { t, sayNodes } = useI18n()
  const words = t.editor.start
  const instant = form.when === 'at' ? toInstant(form.at, form.zone) : null
  const past = instant !== null && Date.parse(instant) < Date.now()
  const error = problem && (
    <p className="hint bad" role="alert" id={`${id}-when-e`}>
      <Icon name="s-bad" />
      <span>{words[problem]}</span>
    </p>
  )
  return (
    <>
      {!rerun && (
        <div className="f">
          <span className="lab">{words.when}</span>
          <div className="when">
            <Seg<When>
              label={words.when}
              value={form.when}
              options={(['now', 'delay', 'at'] as const).map((value) => ({ value, label: words[value] }))}
              onChange={(when) => set({ when })}
            />
            {form.when === 'delay' && (
              <div>
                <input
                  id={`${id}-delay`}
                  className={cx('in', problem && 'no')}
                  aria-label={words.delayLabel}
                  aria-invalid={problem !== null || undefined}
                  aria-describedby={`${id}-when-e`}
                  value={form.delay}
                  autoComplete="off"
                  onChange={(event) => set({ delay: event.target.value })}
                />
                {error ?? <p className="hint">{words.delayHint}</p>}
              </div>
            )}
            {form.when === 'at' && (
              <div className="at">
                <input
                  id={`${id}-at`}
                  type="datetime-local"
                  className={cx('in', problem && 'no')}
                  aria-label={words.atLabel}
                  aria-invalid={problem !== null || undefined}
                  aria-describedby={`${id}-when-e`}
                  value={form.at}
                  onChange={(event) => set({ at: event.target.value })}
                />
                <ZoneSelect short label={t.top.zone} value={form.zone} onChange={(zone) => set({ zone })} />
                {error}
                {instant && (
                  <p className={cx('hint', past && 'wait')}>
                    {past
                      ? words.atPast
                      : sayNodes(words.atHint, { zone: form.zone, relative: <Time at={instant} /> })}
                  </p>
                )}
              </div>
            )}
          </div>
        </div>
      )}
      {!form.failedOnly && <ExecutorField id={id} form={form} set={set} view={view} />}
      {rerun && (rerun.shards ?? 1) > 1 && (
        <div className="f">
          <span className="lab">{words.shards}</span>
          <Seg
            label={words.shards}
            value={form.failedOnly ? 'failed' : 'all'}
            options={[
              { value: 'all', label: words.shardsAll },
              { value: 'failed', label: words.shardsFailed },
            ]}
            onChange={(value) => set({ failedOnly: value === 'failed' })}
          />
        </div>
      )}
      {rerun?.rerunBefore && (
        <div className="f">
          <span />
          <Checkbox visible checked={form.again} label={words.again} onChange={(again) => set({ again })} />
        </div>
      )}
      <details className="more" open={form.key !== '' || undefined}>
        <summary>{words.advanced}</summary>
        <div className="f">
          <label htmlFor={`${id}-key`}>{words.key}</label>
          <div>
            <input
              id={`${id}-key`}
              className="in mono"
              value={form.key}
              autoComplete="off"
              spellCheck={false}
              aria-describedby={`${id}-key-h`}
              disabled={form.again}
              onChange={(event) => set({ key: event.target.value })}
            />
            <p className="hint" id={`${id}-key-h`}>
              {words.keyHint}
            </p>
          </div>
        </div>
      </details>
    </>
  )
}

function ExecutorField({ id, form, set, view }: Pick<Props, 'id' | 'form' | 'set' | 'view'>) {
  const { t, say } = useI18n()
  const words = t.editor.start
  const executors = useExecutors({ service: view.service })
  const handler = view.handler ?? view.name
  const of =
    executors.data?.items.filter((one) => one.service === view.service && handler in one.handlers) ?? []
  const note = (one: ExecutorView) =>
    one.connected && !one.leaving
      ? say(words.executorBusy, { running: one.attempts, capacity: one.capacity })
      : words.executorDown
  const route = typeof view.route === 'object' ? view.route.specific : (view.route ?? 'round_robin')
  const names: Record<string, { label: string }> = t.editor.strategies.route
  const byRoute = say(words.byRoute, { route: names[route]?.label ?? route })
  return (
    <div className="f">
      <label htmlFor={`${id}-executor`}>{words.executor}</label>
      <Select
        id={`${id}-executor`}
        label={words.executor}
        value={form.executor}
        placeholder={byRoute}
        clearable={byRoute}
        options={of.map((one) => ({ value: one.name, note: note(one) }))}
        onChange={(executor) => set({ executor })}
      />
    </div>
  )
}
