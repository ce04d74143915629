import type { ReactNode } from 'react'
import { useI18n } from '../../../i18n'
import { cx, Icon } from '../../../ui'

export interface TokenItem {
  key: string
  label: ReactNode
  /** For the name of the cross. */
  name: string
  note?: ReactNode
  wrong?: boolean
}

/** Things that were added, each with a cross. Controls to add more are the children. */
export function Tokens({
  id,
  items,
  onRemove,
  children,
}: {
  id: string
  items: TokenItem[]
  onRemove: (index: number) => void
  children: ReactNode
}) {
  const { t, say } = useI18n()
  return (
    <div className="in ed-tokens" id={id} tabIndex={-1}>
      {items.map((item, index) => (
        <span className={cx('tok', item.wrong && 'ed-wrong')} key={item.key}>
          <b>{item.label}</b>
          {item.note && <i>{item.note}</i>}
          <button
            type="button"
            className="x"
            aria-label={say(t.act.remove, { what: item.name })}
            onClick={() => {
              onRemove(index)
              document.getElementById(id)?.focus()
            }}
          >
            <Icon name="x" />
          </button>
        </span>
      ))}
      {children}
    </div>
  )
}
