import type { ReactNode } from 'react'
import { useLivePart } from '../api/live'
import { useI18n } from '../i18n'
import { Button } from './Button'
import { Icon } from './Icon'
import type { Selection } from './selection'

/** Floats below a list while rows are selected: the count, "select all that match", the actions, and that updates
 * are held back. */
export function BulkBar<Key>({
  selection,
  total,
  children,
}: {
  selection: Selection<Key>
  /** How many match the filter in all, if that is known. */
  total?: number | undefined
  /** The actions, as buttons. */
  children: ReactNode
}) {
  const { t, say } = useI18n()
  const pending = useLivePart((state) => state.pending)
  if (selection.size === 0) {
    return selection.picking ? (
      <div className="bulk only-s" role="toolbar" aria-label={t.table.pick}>
        <span className="grey" role="status">
          {t.table.pick}
        </span>
        <Button icon="x" label={t.act.clear} onClick={selection.clear} />
      </div>
    ) : null
  }
  return (
    <div className="bulk" role="toolbar" aria-label={say(t.table.selected, { n: selection.size })}>
      <span className="b nw" role="status">
        {!selection.matching
          ? say(t.table.selected, { n: selection.size })
          : total === undefined
            ? t.table.allMatchingUncounted
            : say(t.table.allMatching, { n: total })}
      </span>
      {total !== undefined && total > selection.size && !selection.matching && (
        <Button look="link" onClick={() => selection.setMatching(true)}>
          {say(t.table.selectMatching, { n: total })}
        </Button>
      )}
      <hr />
      <span className="bulk-acts">{children}</span>
      <hr />
      <span className="held small hide-s">
        <Icon name="pause" />
        {pending > 0 ? say(t.live.pending, { n: pending }) : t.live.paused}
      </span>
      <Button icon="x" label={t.act.clear} onClick={selection.clear} />
    </div>
  )
}
