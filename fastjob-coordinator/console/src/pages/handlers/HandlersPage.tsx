/** The service centre: every handler with who hosts it, which jobs call it, and what its param looks like. */
import { useSearch } from '@tanstack/react-router'
import { useMemo, useState } from 'react'
import { itemsOf, useHandlerPages } from '../../api/queries'
import type { HandlerView } from '../../api/types'
import { useI18n } from '../../i18n'
import {
  Button,
  Code,
  type Column,
  Dialog,
  Empty,
  ErrorCard,
  Go,
  PageHead,
  Pager,
  paths,
  Table,
  TextFilter,
  useGo,
  usePatchSearch,
} from '../../ui'

export default function HandlersPage() {
  const { t, say } = useI18n()
  const { text, service } = useSearch({ from: '/handlers' })
  const patch = usePatchSearch()
  const go = useGo()
  const list = useHandlerPages({ ...(service && { service }), ...(text && { text }) })
  const [shown, setShown] = useState<HandlerView | null>(null)
  const rows = useMemo(() => itemsOf(list.data), [list.data])
  const total = list.data?.pages[0]?.total
  const words = t.handlers.columns
  const some = (names: readonly string[], total: number, link: (name: string) => string) => (
    <span className="cut">
      {names.slice(0, 3).map((name, index) => (
        <span key={name}>
          {index > 0 && ', '}
          <Go className="link" to={link(name)}>
            {name}
          </Go>
        </span>
      ))}
      {total > 3 && <span className="grey"> {say(t.handlers.and, { n: total - 3 })}</span>}
    </span>
  )
  const columns: Column<HandlerView>[] = [
    {
      id: 'name',
      head: words.name,
      className: 'c-name',
      cell: (one) => (
        <>
          <span className="l1 b">{one.handler}</span>
          <span className="l2">{one.description}</span>
        </>
      ),
    },
    {
      id: 'executors',
      head: words.executors,
      width: 220,
      className: 'c-st',
      cell: (one) =>
        one.executors_total === 0 ? (
          <span className="wait">{t.handlers.noExecutor}</span>
        ) : (
          some(one.executors, one.executors_total, (name) => paths.executor(name, one.service))
        ),
    },
    {
      id: 'jobs',
      head: words.jobs,
      width: 260,
      className: 'c-addr',
      cell: (one) =>
        one.jobs_total === 0 ? (
          <span className="grey">–</span>
        ) : (
          some(one.jobs, one.jobs_total, (name) => paths.job(name, one.service))
        ),
    },
    {
      id: 'param',
      head: words.param,
      width: 110,
      className: 'hide-s',
      cell: (one) =>
        one.schema ? (
          <Button small look="bare" onClick={() => setShown(one)}>
            {t.handlers.schema}
          </Button>
        ) : (
          <span className="grey">{t.handlers.noSchema}</span>
        ),
    },
    {
      id: 'acts',
      head: <span className="sr">{t.table.actions}</span>,
      width: 150,
      className: 'num hide-s',
      cell: (one) => (
        <span className="row-acts">
          <Button
            small
            icon="plus"
            onClick={() => go(`/jobs/new?handler=${encodeURIComponent(`${one.service}.${one.handler}`)}`)}
          >
            {t.handlers.newJob}
          </Button>
        </span>
      ),
    },
  ]
  return (
    <>
      <PageHead title={t.handlers.title} sub={t.handlers.sub} />
      <div className="tools">
        <TextFilter
          text={text}
          onChange={(text) => patch({ text })}
          placeholder={t.handlers.search}
          label={t.handlers.searchLabel}
        />
      </div>
      {list.error && rows.length === 0 ? (
        <section className="sec">
          <ErrorCard error={list.error} retry={() => void list.refetch()} />
        </section>
      ) : list.data && rows.length === 0 && !text ? (
        <Empty icon="code" title={t.handlers.empty.title}>
          {t.handlers.empty.detail}
        </Empty>
      ) : list.data && rows.length === 0 ? (
        <Empty icon="code" title={t.handlers.noMatch} />
      ) : (
        <Table<HandlerView, string>
          label={t.handlers.title}
          className="execs two"
          columns={columns}
          rows={rows}
          rowKey={(one) => `${one.service}.${one.handler}`}
          rowName={(one) => one.handler}
          loading={list.isPending}
          group={(one, before) => (before?.service === one.service ? null : <strong>{one.service}</strong>)}
        />
      )}
      {rows.length > 0 && (
        <Pager list={list}>
          {total !== undefined && total > rows.length
            ? say(t.handlers.countOf, { n: rows.length, of: total })
            : say(t.handlers.count, { n: rows.length })}
        </Pager>
      )}
      {shown && (
        <Dialog
          wide
          title={say(t.handlers.showSchema, { handler: `${shown.service}.${shown.handler}` })}
          onClose={() => setShown(null)}
          foot={
            <Button look="main" onClick={() => setShown(null)}>
              {t.act.close}
            </Button>
          }
        >
          <Code title="JSON Schema" text={JSON.stringify(shown.schema, null, 2)} />
        </Dialog>
      )}
    </>
  )
}
