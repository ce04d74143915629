/** Imports jobs from TOML or JSON: shows what would change before anything is saved. All are saved, or none. */
import { type ChangeEvent, useState } from 'react'
import { actions, useAction } from '../../api/queries'
import type { Applied, AppliedJob } from '../../api/types'
import { useI18n } from '../../i18n'
import { Button, Checkbox, cx, Dialog, Go, ProblemNote, paths, toast } from '../../ui'
import { Changes } from '../job/Changes'
import { type FileJob, readJobs, Unreadable } from './jobFile'

const FILE_MAX = 8 * 1024 * 1024
/** Jobs whose differences are listed; the counts above them are of all. */
const MOST = 200

export function ImportDialog({ onClose }: { onClose: () => void }) {
  const { t, say } = useI18n()
  const words = t.jobs.import
  const [text, setText] = useState('')
  const [file, setFile] = useState('')
  const [replace, setReplace] = useState(false)
  const [wrong, setWrong] = useState<string | null>(null)
  const [preview, setPreview] = useState<Applied | null>(null)
  const apply = useAction(actions.applyJobs, 'jobs')
  const edit = (next: string, name: string) => {
    setText(next)
    setFile(name)
    setWrong(null)
    setPreview(null)
  }

  const pick = async (event: ChangeEvent<HTMLInputElement>) => {
    const chosen = event.target.files?.[0]
    if (!chosen) return
    const tooBig = chosen.size > FILE_MAX
    edit(tooBig ? '' : await chosen.text(), chosen.name)
    if (tooBig) setWrong(words.tooBig)
  }
  const read = async (): Promise<FileJob[] | null> => {
    try {
      const jobs = await readJobs(text, file)
      setWrong(jobs.length === 0 ? words.empty : null)
      return jobs.length === 0 ? null : jobs
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error)
      if (!(error instanceof Unreadable)) setWrong(why)
      else {
        const { format, line } = error
        setWrong(
          line === null
            ? say(words.invalid, { format, why })
            : say(words.invalidAt, { format, line: String(line), why }),
        )
      }
      return null
    }
  }
  const check = async () => {
    const jobs = await read()
    if (jobs) setPreview(await apply.mutateAsync([{ jobs, replace, dry_run: true }]).catch((): null => null))
  }
  const save = async () => {
    const jobs = await read()
    if (!jobs) return
    const done = await apply.mutateAsync([{ jobs, replace }]).catch((): null => null)
    if (!done) return
    toast.done(say(words.done, { n: done.items.length }))
    onClose()
  }
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
      <p className="import-file">
        <input
          type="file"
          accept=".toml,.json,application/toml,application/json"
          aria-label={words.pick}
          data-autofocus
          onChange={(event) => void pick(event)}
        />
      </p>
      <textarea
        className="in area mono"
        rows={preview ? 4 : 10}
        value={text}
        aria-label={words.paste}
        placeholder={words.paste}
        spellCheck={false}
        aria-invalid={wrong !== null}
        onChange={(event) => edit(event.target.value, '')}
      />
      {wrong && (
        <p className="hint bad" role="alert">
          {wrong}
        </p>
      )}
      <Checkbox
        visible
        label={words.replace}
        checked={replace}
        onChange={(on) => {
          setReplace(on)
          setPreview(null)
        }}
      />
      {apply.error && <ProblemNote error={apply.error} />}
      {preview && <Preview items={preview.items} />}
    </Dialog>
  )
}

const ORDER = ['updated', 'created', 'unchanged']

/** What saving would do: the jobs that change first, each with its fields before and after. */
function Preview({ items }: { items: readonly AppliedJob[] }) {
  const { t, say } = useI18n()
  const words = t.jobs.import
  const saved: Record<string, string> = {
    created: words.created,
    updated: words.updated,
    unchanged: words.unchanged,
  }
  const count = (kind: string) => items.filter((one) => one.saved === kind).length
  const sorted = [...items].sort((a, b) => ORDER.indexOf(a.saved) - ORDER.indexOf(b.saved))
  return (
    <section aria-label={words.preview}>
      <p role="status" className="import-sum">
        {say(words.sum, {
          created: String(count('created')),
          updated: String(count('updated')),
          unchanged: String(count('unchanged')),
        })}
      </p>
      <ul className="import">
        {sorted.slice(0, MOST).map((item) => (
          <li key={item.job}>
            <div>
              {item.saved === 'created' ? (
                <b>{item.job}</b>
              ) : (
                <Go className="b" to={paths.job(item.job)} target="_blank">
                  {item.job}
                </Go>
              )}
              <span className={cx('tag', item.saved === 'unchanged' && 'grey')}>
                {saved[item.saved] ?? item.saved}
              </span>
              {item.was_code && <span className="wait small">{words.wasCode}</span>}
            </div>
            {(item.changes?.length ?? 0) > 0 && <Changes changes={item.changes ?? []} />}
            {(item.ignored?.length ?? 0) > 0 && (
              <>
                <p className="grey small">{words.ignored}</p>
                <Changes changes={item.ignored ?? []} />
              </>
            )}
          </li>
        ))}
        {sorted.length > MOST && (
          <li className="grey">{say(t.jobs.bulk.more, { n: sorted.length - MOST })}</li>
        )}
      </ul>
    </section>
  )
}
