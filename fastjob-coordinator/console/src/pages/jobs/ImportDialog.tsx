/** Imports jobs from JSON: shows what would change before anything is saved. All are saved, or none. */
import { type ChangeEvent, useState } from 'react'
import { actions, useAction } from '../../api/queries'
import type { Applied, ApplyRequest } from '../../api/types'
import { useI18n } from '../../i18n'
import { Button, Dialog, ProblemNote, toast } from '../../ui'

const FILE_MAX = 8 * 1024 * 1024

/** The jobs of a file: `{"jobs": […]}`, `{"job": […]}`, `{"items": […]}` or a list. */
export function jobsOf(text: string): ApplyRequest['jobs'] {
  const parsed: unknown = JSON.parse(text)
  const list = Array.isArray(parsed)
    ? parsed
    : parsed !== null && typeof parsed === 'object'
      ? (['jobs', 'job', 'items']
          .map((key) => (parsed as Record<string, unknown>)[key])
          .find(Array.isArray) ?? [])
      : []
  return list.filter((one): one is ApplyRequest['jobs'][number] => one !== null && typeof one === 'object')
}

export function ImportDialog({ onClose }: { onClose: () => void }) {
  const { t, say } = useI18n()
  const words = t.jobs.import
  const [text, setText] = useState('')
  const [wrong, setWrong] = useState<string | null>(null)
  const [preview, setPreview] = useState<Applied | null>(null)
  const apply = useAction(actions.applyJobs, 'jobs')

  const pick = async (event: ChangeEvent<HTMLInputElement>) => {
    const file = event.target.files?.[0]
    if (!file) return
    setPreview(null)
    setText(file.size > FILE_MAX ? '' : await file.text())
  }
  const read = () => {
    try {
      const jobs = jobsOf(text)
      setWrong(jobs.length === 0 ? words.empty : null)
      return jobs.length === 0 ? null : jobs
    } catch (error) {
      setWrong(say(words.invalid, { why: error instanceof Error ? error.message : String(error) }))
      return null
    }
  }
  const check = async () => {
    const jobs = read()
    if (jobs) setPreview(await apply.mutateAsync([{ jobs, dry_run: true }]).catch((): null => null))
  }
  const save = async () => {
    const jobs = read()
    if (!jobs) return
    const done = await apply.mutateAsync([{ jobs }]).catch((): null => null)
    if (!done) return
    toast.done(say(words.done, { n: done.items.length }))
    onClose()
  }
  const saved = { created: words.created, updated: words.updated, unchanged: words.unchanged } as Record<
    string,
    string
  >
  return (
    <Dialog
      wide
      title={words.title}
      onClose={onClose}
      onSubmit={() => void (preview ? save() : check())}
      foot={
        <>
          <Button onClick={onClose}>{t.act.cancel}</Button>
          <Button type="submit" look="main" busy={apply.isPending} disabled={text.trim() === ''}>
            {preview ? say(words.apply, { n: preview.items.length }) : words.check}
          </Button>
        </>
      }
    >
      <p className="grey">{words.detail}</p>
      <p>
        <input
          type="file"
          accept=".json,application/json"
          aria-label={words.pick}
          onChange={(event) => void pick(event)}
        />
      </p>
      <textarea
        className="in area"
        rows={8}
        value={text}
        aria-label={words.paste}
        placeholder={words.paste}
        spellCheck={false}
        onChange={(event) => {
          setText(event.target.value)
          setPreview(null)
        }}
      />
      {wrong && (
        <p className="hint bad" role="alert">
          {wrong}
        </p>
      )}
      {apply.error && <ProblemNote error={apply.error} />}
      {preview && (
        <ul className="plain" aria-live="polite">
          {preview.items.map((item) => (
            <li key={item.job}>
              <span className="mono">{item.job}</span>{' '}
              <span className="grey">{saved[item.saved] ?? item.saved}</span>{' '}
              {(item.changes ?? []).map((change) => (
                <span key={change.field} className="tag">
                  {change.field}
                </span>
              ))}
            </li>
          ))}
        </ul>
      )}
    </Dialog>
  )
}
