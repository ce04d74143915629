/** The whole of a text that a list has cut: a panel at the side, on a phone a sheet. `p` or the space bar opens it
 * for the row with the focus, `j` and `k` go to the next rows, Escape closes it. */
import { Modal } from '@mantine/core'
import { type KeyboardEvent, type ReactNode, useCallback, useRef, useState } from 'react'
import { useHold } from '../api/live'
import { useI18n } from '../i18n'
import { Button } from './Button'
import { CopyButton } from './Copy'
import { cx } from './cx'
import { Go } from './Go'
import { Original } from './Message'

export interface Peeked {
  title: ReactNode
  /** Facts in one line: state, executor, time. */
  facts?: ReactNode
  /** The texts, each with what it is. */
  parts: { head: ReactNode; text: string; original?: string; bad?: boolean }[]
  /** Where more is to read, such as the log. */
  to?: string
  toLabel?: ReactNode
}

interface Peeking<Row> {
  peek: (row: Row) => void
  panel: ReactNode
}

/** The panel of a list. It stays with its row while the list changes. */
export function usePeek<Row>(
  rows: readonly Row[],
  rowKey: (row: Row) => string | number,
  peeked: (row: Row) => Peeked,
): Peeking<Row> {
  const [key, setKey] = useState<string | number | null>(null)
  useHold(key !== null, 'peek')
  const at = key === null ? -1 : rows.findIndex((row) => rowKey(row) === key)
  const row = rows[at]
  const close = () => {
    setKey(null)
    // The focus goes to the row that was read last.
    requestAnimationFrame(() =>
      document.querySelector<HTMLElement>(`tr[data-key="${CSS.escape(String(key))}"] [data-row]`)?.focus(),
    )
  }
  const move = (by: number) => {
    const next = rows[at + by]
    if (next !== undefined) setKey(rowKey(next))
  }
  // The same function for the life of the list, so that its columns can be kept.
  const keyOf = useRef(rowKey)
  keyOf.current = rowKey
  const peek = useCallback((to: Row) => setKey(keyOf.current(to)), [])
  return {
    peek,
    panel: row !== undefined && (
      <Panel
        peeked={peeked(row)}
        onClose={close}
        onMove={move}
        first={at === 0}
        last={at === rows.length - 1}
      />
    ),
  }
}

interface PanelProps {
  peeked: Peeked
  onClose: () => void
  onMove: (by: number) => void
  first: boolean
  last: boolean
}

function Panel({ peeked, onClose, onMove, first, last }: PanelProps) {
  const { t } = useI18n()
  const keys = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return
    const act = { j: () => onMove(1), k: () => onMove(-1), p: onClose }[event.key]
    if (!act) return
    event.preventDefault()
    act()
  }
  return (
    <Modal.Root
      opened
      onClose={onClose}
      unstyled
      lockScroll={false}
      returnFocus={false}
      transitionProps={{ duration: 0 }}
      classNames={{ inner: 'over-l peek-l', content: 'peek', overlay: 'veil thin' }}
    >
      <Modal.Overlay />
      <Modal.Content>
        {/* biome-ignore lint/a11y/noStaticElementInteractions: its keys are those of the list behind it. */}
        <div className="peek-in" onKeyDown={keys}>
          <header>
            <Modal.Title>{peeked.title}</Modal.Title>
            <Button
              look="bare"
              icon="up"
              label={t.peek.previous}
              disabled={first}
              onClick={() => onMove(-1)}
            />
            <Button
              look="bare"
              icon="up"
              className="flip"
              label={t.peek.next}
              disabled={last}
              onClick={() => onMove(1)}
            />
            <Button look="bare" icon="x" label={t.act.close} onClick={onClose} />
          </header>
          <Modal.Body>
            {peeked.facts && <p className="peek-facts grey">{peeked.facts}</p>}
            {peeked.parts.length === 0 && <p className="grey">{t.peek.nothing}</p>}
            {peeked.parts.map((part, index) => (
              // biome-ignore lint/suspicious/noArrayIndexKey: the parts of a row keep their order.
              <section key={index}>
                <div className="peek-h">
                  <h3 className={cx(part.bad && 'bad')}>{part.head}</h3>
                  <CopyButton text={part.text} />
                </div>
                <pre tabIndex={0}>{part.text}</pre>
                <Original text={part.original} />
              </section>
            ))}
          </Modal.Body>
          {peeked.to && (
            <footer>
              <Go className="btn main" to={peeked.to} data-autofocus>
                {peeked.toLabel}
              </Go>
            </footer>
          )}
        </div>
      </Modal.Content>
    </Modal.Root>
  )
}

/** The beginning of a text in a cell; a click shows the whole. The key is that of the row, so it takes no stop of
 * the Tab key. */
export function PeekText({
  text,
  quiet,
  onPeek,
  focusable,
}: {
  text: string
  /** Grey: it is no error. */
  quiet?: boolean
  onPeek: () => void
  /** Outside of a table, where no row has the key. */
  focusable?: boolean
}) {
  const { t } = useI18n()
  if (text === '') return null
  const line = text.length > 300 ? `${text.slice(0, 300)}…` : text
  return (
    <button
      type="button"
      {...(!focusable && { tabIndex: -1 })}
      className={cx('peek-b l1', quiet && 'grey')}
      aria-haspopup="dialog"
      data-tip={text.length > 24 ? `${text.slice(0, 600)}\n\n${t.peek.hint}` : undefined}
      onClick={onPeek}
    >
      {line}
    </button>
  )
}
