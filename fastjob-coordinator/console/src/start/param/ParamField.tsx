import { useEffect, useId, useMemo, useState } from 'react'
import { useI18n } from '../../i18n'
import { jsonError, looksLikeJson, pretty } from '../../pages/editor/model/json'
import { Button, cx, Icon, Seg } from '../../ui'
import { SchemaForm } from './SchemaForm'
import { schemaFields } from './schema'
import { readMembers } from './values'
import './param.css'

export interface ParamFieldProps {
  id: string
  value: string
  onChange: (value: string) => void
  onBlur?: () => void
  /** The JSON schema of the handler's param, if it has one. */
  schema: unknown
  /** What the coordinator says of the param, or of a member of it: `param.month`. */
  problem?: (field: string) => string | undefined
  hint?: string
}

/** A param: a form if the handler has a schema of simple fields, else JSON or text. */
export function ParamField({ id, value, onChange, onBlur, schema, problem, hint }: ParamFieldProps) {
  const { t } = useI18n()
  const fields = useMemo(() => schemaFields(schema), [schema])
  const members = useMemo(() => (fields ? readMembers(value) : null), [fields, value])
  const [mode, setMode] = useState<'form' | 'json'>('form')
  const words = t.editor.start.params
  const asForm = fields !== null && members !== null && mode === 'form'
  return (
    <div className="param">
      {fields && (
        <Seg
          label={words.as}
          value={asForm ? 'form' : 'json'}
          options={[
            { value: 'form', label: words.form },
            { value: 'json', label: words.json },
          ]}
          onChange={setMode}
        />
      )}
      {asForm ? (
        <SchemaForm
          id={id}
          fields={fields}
          members={members}
          onChange={onChange}
          onBlur={onBlur}
          problem={problem}
        />
      ) : (
        <JsonText id={id} value={value} onChange={onChange} onBlur={onBlur} problem={problem} hint={hint} />
      )}
      {fields && mode === 'form' && members === null && <p className="hint">{words.noObject}</p>}
    </div>
  )
}

/** JSON or text, with the line of an error. */
function JsonText({ id, value, onChange, onBlur, problem, hint }: Omit<ParamFieldProps, 'schema'>) {
  const { t, say, language } = useI18n()
  const words = t.editor.start.params
  const wrong = useMemo(() => (looksLikeJson(value) ? jsonError(value) : null), [value])
  const [settled, setSettled] = useState(wrong)
  const noteId = useId()
  useEffect(() => {
    // While a bracket is still open, nothing is said at once.
    const wait = setTimeout(() => setSettled(wrong), wrong ? 500 : 0)
    return () => clearTimeout(wait)
  }, [wrong])
  const shown = wrong && settled
  const told = problem?.('param')
  const note = !value.trim() ? words.isEmpty : looksLikeJson(value) ? words.isJson : words.isText
  const goTo = () => {
    const box = document.getElementById(id)
    if (!(box instanceof HTMLTextAreaElement) || !wrong) return
    const lines = value.split('\n').slice(0, wrong.line - 1)
    const at = lines.reduce((sum, line) => sum + line.length + 1, 0) + wrong.column - 1
    box.focus()
    box.setSelectionRange(at, Math.min(at + 1, value.length))
  }
  return (
    <>
      <textarea
        id={id}
        className={cx('in area', (shown || told) && 'no')}
        rows={Math.min(16, Math.max(3, value.split('\n').length))}
        value={value}
        spellCheck={false}
        autoComplete="off"
        aria-invalid={Boolean(shown || told) || undefined}
        aria-describedby={noteId}
        onChange={(event) => onChange(event.target.value)}
        onBlur={onBlur}
      />
      <div className="param-foot">
        <div id={noteId} aria-live="polite">
          {shown ? (
            <p className="hint bad">
              <Icon name="s-bad" />
              <span>{say(words.wrong, { line: String(shown.line), column: String(shown.column) })}</span>
            </p>
          ) : told ? (
            <p className="hint bad">
              <Icon name="s-bad" />
              <span>{told}</span>
            </p>
          ) : (
            <p className="hint">{[note, hint ?? words.most].join(language === 'zh' ? '' : ' ')}</p>
          )}
        </div>
        {shown && (
          <Button look="bare" small onClick={goTo}>
            {words.goTo}
          </Button>
        )}
        {!wrong && looksLikeJson(value) && pretty(value) !== value && (
          <Button look="bare" small onClick={() => onChange(pretty(value))}>
            {words.format}
          </Button>
        )}
      </div>
    </>
  )
}
