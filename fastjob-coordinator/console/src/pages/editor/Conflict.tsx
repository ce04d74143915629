import { useMemo, useState } from 'react'
import type { JobDraft, JobView, Json } from '../../api/types'
import { useI18n } from '../../i18n'
import { Button, cx, Dialog, ProblemNote, Time } from '../../ui'
import { type Difference, differences, merged, proposal, type Side } from './model/merge'

/** Somebody else saved the job meanwhile: what differs, and what is to be saved. */
export function Conflict({
  base,
  mine,
  theirs,
  theirDraft,
  busy,
  error,
  onSave,
  onTakeTheirs,
  onClose,
}: {
  base: JobDraft
  mine: JobDraft
  theirs: JobView
  theirDraft: JobDraft
  busy: boolean
  error: unknown
  onSave: (draft: JobDraft) => void
  onTakeTheirs: () => void
  onClose: () => void
}) {
  const { t, say, sayNodes } = useI18n()
  const words = t.editor.conflict
  const found = useMemo(() => differences(base, mine, theirDraft), [base, mine, theirDraft])
  const [choice, setChoice] = useState<Record<string, Side>>(() => proposal(found))
  return (
    <Dialog
      wide
      title={say(words.title, { job: mine.name })}
      onClose={onClose}
      onSubmit={() => onSave(merged(mine, found, choice))}
      foot={
        <>
          <Button onClick={onClose}>{t.editor.leave.stay}</Button>
          <Button onClick={onTakeTheirs}>{words.takeTheirs}</Button>
          <Button onClick={() => onSave(mine)} busy={busy}>
            {words.takeMine}
          </Button>
          <Button look="main" type="submit" busy={busy} data-autofocus>
            {words.save}
          </Button>
        </>
      }
    >
      <p className="grey ed-intro">
        {sayNodes(words.intro, { theirs: String(theirs.revision), when: <Time at={theirs.updated_at} /> })}
      </p>
      {found.length === 0 ? (
        <p>{words.none}</p>
      ) : (
        <div className="ed-merge">
          {found.map((one) => (
            <Row
              key={one.field}
              difference={one}
              side={choice[one.field] ?? 'mine'}
              onChange={(side) => setChoice({ ...choice, [one.field]: side })}
            />
          ))}
        </div>
      )}
      {error !== null && error !== undefined && <ProblemNote error={error} />}
    </Dialog>
  )
}

function Row({
  difference,
  side,
  onChange,
}: {
  difference: Difference
  side: Side
  onChange: (side: Side) => void
}) {
  const { t, say } = useI18n()
  const words = t.editor.conflict
  const { field, changedBy } = difference
  const who = { mine: words.onlyMine, theirs: words.onlyTheirs, both: words.both }[changedBy]
  const name = `merge-${field}`
  return (
    <fieldset aria-label={say(words.useFor, { field })} className={cx(changedBy === 'both' && 'ed-both')}>
      <div>
        <span className="mono">{field}</span>
        <small className={changedBy === 'both' ? 'wait' : 'grey'}>{who}</small>
      </div>
      {(['mine', 'theirs'] as const).map((one) => (
        <label key={one} className={cx('ed-side', side === one && 'on')}>
          <input type="radio" name={name} checked={side === one} onChange={() => onChange(one)} />
          <span>
            <small className="grey">{words[one]}</small>
            <span className="mono">{shown(difference[one], words.unset)}</span>
          </span>
        </label>
      ))}
    </fieldset>
  )
}

function shown(value: Json | undefined, unset: string): string {
  if (value === undefined || value === null) return unset
  return typeof value === 'string' ? value : JSON.stringify(value)
}
