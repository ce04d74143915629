/** The service centre: every handler with who hosts it, which jobs call it, and what its param looks like. */
import { useSearch } from '@tanstack/react-router'
import { useMemo, useState } from 'react'
import { isUnknownCall } from '../../api/client'
import { useExecutors, useHandlers } from '../../api/queries'
import type { ExecutorView, HandlerView } from '../../api/types'
import { useI18n } from '../../i18n'
import { useKeysFocus } from '../../lib/keys'
import {
  Button,
  Code,
  type Column,
  Dialog,
  Empty,
  ErrorCard,
  Go,
  Icon,
  PageHead,
  paths,
  Table,
  useGo,
  usePatchSearch,
} from '../../ui'

/** What executors announce, for a coordinator that has no list of handlers. */
function fromExecutors(executors: readonly ExecutorView[]): HandlerView[] {
  const found = new Map<string, HandlerView>()
  for (const executor of executors.filter((one) => one.connected)) {
    for (const [handler, description] of Object.entries(executor.handlers)) {
      const key = `${executor.service}.${handler}`
      const one = found.get(key) ?? {
        service: executor.service,
        handler,
        description,
        schema: null,
        executors: [],
        executors_total: 0,
        jobs: [],
        jobs_total: 0,
      }
      found.set(key, {
        ...one,
        executors: [...one.executors, executor.name],
        executors_total: one.executors_total + 1,
      })
    }
  }
  return [...found.values()]
}

export default function HandlersPage() {
  const { t, say } = useI18n()
  const { text, service } = useSearch({ from: '/handlers' })
  const patch = usePatchSearch()
  const go = useGo()
  const handlers = useHandlers()
  const older = isUnknownCall(handlers.error)
  const executors = useExecutors({ enabled: older })
  const [shown, setShown] = useState<HandlerView | null>(null)
  const field = useKeysFocus('/')
  const all = useMemo(
    () => (older ? fromExecutors(executors.data?.items ?? []) : (handlers.data?.items ?? [])),
    [older, executors.data, handlers.data],
  )
  const wanted = (text ?? '').toLowerCase()
  const rows = all
    .filter((one) => !service || one.service === service)
    .filter((one) => `${one.service}.${one.handler} ${one.description ?? ''}`.toLowerCase().includes(wanted))
    .sort((a, b) => a.service.localeCompare(b.service) || a.handler.localeCompare(b.handler))
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
  const error = older ? executors.error : handlers.error
  const pending = older ? executors.isPending : handlers.isPending
  return (
    <>
      <PageHead title={t.handlers.title} sub={t.handlers.sub} />
      <div className="tools">
        <div className="search">
          <Icon name="search" />
          <input
            ref={field}
            value={text ?? ''}
            placeholder={t.handlers.search}
            aria-label={t.handlers.searchLabel}
            onChange={(event) => patch({ text: event.target.value || undefined })}
          />
          <kbd className="hide-s">/</kbd>
        </div>
      </div>
      {error && all.length === 0 ? (
        <section className="sec">
          <ErrorCard error={error} retry={() => void (older ? executors.refetch() : handlers.refetch())} />
        </section>
      ) : !pending && all.length === 0 ? (
        <Empty icon="code" title={t.handlers.empty.title}>
          {t.handlers.empty.detail}
        </Empty>
      ) : !pending && rows.length === 0 ? (
        <Empty icon="code" title={t.handlers.noMatch} />
      ) : (
        <Table<HandlerView, string>
          label={t.handlers.title}
          className="execs two"
          columns={columns}
          rows={rows}
          rowKey={(one) => `${one.service}.${one.handler}`}
          rowName={(one) => one.handler}
          loading={pending}
          group={(one, before) => (before?.service === one.service ? null : <strong>{one.service}</strong>)}
        />
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
