import type { ReactNode } from 'react'
import { useI18n } from '../i18n'
import { cx } from './cx'
import { Go } from './Go'
import { Icon, type IconName } from './Icon'

/** What was looked for and not found, and the smallest change that would find something. */
export function Empty({
  icon,
  title,
  children,
  actions,
}: {
  icon: IconName
  title: ReactNode
  children?: ReactNode
  actions?: ReactNode
}) {
  return (
    <div className="empty">
      <Icon name={icon} />
      <b>{title}</b>
      {children && <p>{children}</p>}
      {actions && <div className="empty-acts">{actions}</div>}
    </div>
  )
}

/** A bar where text will be. */
export function Skeleton({ width = 120, height }: { width?: number | string; height?: number }) {
  return <span className="sk" style={{ width, ...(height && { height }) }} aria-hidden="true" />
}

/** The plain shape of a page while its code or its first answer loads. */
export function PageSkeleton({ title }: { title?: string }) {
  const { t } = useI18n()
  return (
    <div aria-busy="true">
      <div className="head">{title ? <h1>{title}</h1> : <Skeleton width={140} height={20} />}</div>
      <div className="sec">
        <span className="sr" role="status">
          {t.table.loading}
        </span>
        <div className="sk-rows">
          {[62, 48, 70, 55, 40, 66, 51, 58].map((width) => (
            <Skeleton key={width} width={`${width}%`} />
          ))}
        </div>
      </div>
    </div>
  )
}

/** The head of a page: title, a grey sentence, buttons. */
export function PageHead({
  title,
  sub,
  children,
  crumbs,
}: {
  title: ReactNode
  sub?: ReactNode
  /** Buttons at the right. */
  children?: ReactNode
  crumbs?: ReactNode
}) {
  return (
    <>
      {crumbs && <nav className="crumbs">{crumbs}</nav>}
      <div className={crumbs ? 'head under' : 'head'}>
        <h1>{title}</h1>
        {sub !== undefined && <span className="sub">{sub}</span>}
        {children && <div className="acts">{children}</div>}
      </div>
    </>
  )
}

/** A section with a heading, a grey note and a link at the right. */
export function Section({
  title,
  note,
  end,
  children,
  tight,
}: {
  title?: ReactNode
  note?: ReactNode
  end?: ReactNode
  children: ReactNode
  tight?: boolean
}) {
  return (
    <section className={cx('sec', tight && 'tight')}>
      {title !== undefined && (
        <div className="sec-h">
          <h2>{title}</h2>
          {note !== undefined && <span className="grey">{note}</span>}
          {end !== undefined && <span className="end grey">{end}</span>}
        </div>
      )}
      {children}
    </section>
  )
}

export interface Tab {
  /** A path of the console with its search, or nothing if `onSelect` is used. */
  to?: string
  id: string
  label: ReactNode
  count?: number | undefined
}

/** Tabs as links: the URL holds which one is open. */
export function Tabs({
  tabs,
  current,
  label,
  onSelect,
  end,
}: {
  tabs: readonly Tab[]
  current: string
  label: string
  onSelect?: (id: string) => void
  end?: ReactNode
}) {
  const { f } = useI18n()
  return (
    <nav className="tabs" aria-label={label}>
      {tabs.map((tab) => {
        const inside = (
          <>
            {tab.label}
            {tab.count !== undefined && <span className="n">{f.n(tab.count)}</span>}
          </>
        )
        const current_ = tab.id === current ? ('page' as const) : undefined
        return tab.to !== undefined ? (
          <Go key={tab.id} to={tab.to} aria-current={current_}>
            {inside}
          </Go>
        ) : (
          <button key={tab.id} type="button" aria-current={current_} onClick={() => onSelect?.(tab.id)}>
            {inside}
          </button>
        )
      })}
      {end && <span className="end">{end}</span>}
    </nav>
  )
}

/** One line across the page about something that is wrong, with one link. */
export function Banner({ children, end, bad }: { children: ReactNode; end?: ReactNode; bad?: boolean }) {
  return (
    <div className={cx('banner', bad && 'worse')} role="status">
      <Icon name="s-warn" className={bad ? 'bad' : 'wait'} />
      <span>{children}</span>
      {end && <span className="end">{end}</span>}
    </div>
  )
}

/** Says that newer rows are there, without moving those that are read. */
export function NewPill({ count, onClick }: { count: number | null; onClick: () => void }) {
  const { t, say } = useI18n()
  if (count === 0) return null
  return (
    <button type="button" className="pill" onClick={onClick}>
      <Icon name="up" />
      {count === null ? t.table.newerSome : say(t.table.newer, { n: count })}
    </button>
  )
}

export const Kbd = ({ children }: { children: ReactNode }) => <kbd>{children}</kbd>
export const Hidden = ({ children }: { children: ReactNode }) => <span className="sr">{children}</span>

/** Facts as pairs. */
export function KeyValue({ items }: { items: readonly (readonly [ReactNode, ReactNode] | false | null)[] }) {
  return (
    <dl className="facts">
      {items.map((item, index) =>
        item ? (
          // biome-ignore lint/suspicious/noArrayIndexKey: facts keep their order.
          <div key={index}>
            <dt>{item[0]}</dt>
            <dd>{item[1]}</dd>
          </div>
        ) : null,
      )}
    </dl>
  )
}

/** A share of a whole, with its numbers beside it. */
export function Gauge({ used, of, children }: { used: number; of: number; children?: ReactNode }) {
  const { f } = useI18n()
  const share = of > 0 ? Math.min(1, used / of) : 0
  return (
    <span className="gauge">
      <svg aria-hidden="true">
        <rect className={share >= 0.85 ? 'hot' : undefined} width={`${share * 100}%`} height="4" />
      </svg>
      <span className="grey">{children ?? `${f.n(used)} / ${f.n(of)}`}</span>
    </span>
  )
}
