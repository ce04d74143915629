/** The executors by service: which are up, how full they are, and how to connect one. */
import { useSearch } from '@tanstack/react-router'
import { useMemo, useState } from 'react'
import { itemsOf, useAbout, useExecutorPages, useOverview } from '../../api/queries'
import type { ExecutorView } from '../../api/types'
import { useI18n } from '../../i18n'
import {
  Button,
  type Column,
  cx,
  Empty,
  ErrorCard,
  Gauge,
  Go,
  PageHead,
  Pager,
  paths,
  Status,
  Table,
  TextFilter,
  Time,
  usePatchSearch,
} from '../../ui'
import { ConnectDialog } from './ConnectDialog'

const HOT = 0.85

export default function ExecutorsPage() {
  const { t, f, say } = useI18n()
  const { text, service } = useSearch({ from: '/executors' })
  const patch = usePatchSearch()
  const list = useExecutorPages({ ...(service && { service }), ...(text && { text }) })
  const overview = useOverview(service)
  const about = useAbout()
  const [how, setHow] = useState(false)
  const rows = useMemo(() => itemsOf(list.data), [list.data])
  const total = list.data?.pages[0]?.total
  const sum = (of: readonly ExecutorView[], key: 'attempts' | 'capacity') =>
    of.reduce((n, one) => n + one[key], 0)
  // All of them, also those that are not loaded or do not match.
  const all = overview.data?.executors
  const summary =
    all &&
    [
      say(t.executors.summary, {
        up: all.connected + all.draining + all.drained,
        used: all.attempts,
        capacity: all.capacity,
      }),
      all.lost > 0 ? say(t.executors.lost, { n: all.lost }) : '',
    ]
      .filter(Boolean)
      .join(' · ')
  const words = t.executors.columns
  const columns: Column<ExecutorView>[] = [
    {
      id: 'name',
      head: words.name,
      className: 'c-name',
      cell: (one) => (
        <Go row className="b" to={paths.executor(one.name, one.service)}>
          {one.name}
        </Go>
      ),
    },
    {
      id: 'state',
      head: words.state,
      width: 116,
      className: 'c-st',
      cell: (one) => <Status state={one.state} />,
    },
    {
      id: 'address',
      head: words.address,
      width: 132,
      className: 'c-addr',
      cell: (one) => <span className="mono grey">{one.address || '–'}</span>,
    },
    {
      id: 'seen',
      head: words.seen,
      width: 92,
      className: 'num hide-s',
      cell: (one) => (
        <span className={one.state === 'lost' ? 'bad' : 'grey'}>
          <Time at={one.last_seen ?? one.lost_at ?? one.since} />
        </span>
      ),
    },
    {
      id: 'places',
      head: words.places,
      width: 164,
      className: 'c-use',
      cell: (one) =>
        one.connected ? (
          <span data-tip={one.waiting > 0 ? say(t.executors.waiting, { n: one.waiting }) : undefined}>
            <Gauge used={one.attempts} of={one.capacity} />
          </span>
        ) : (
          <span className="grey">–</span>
        ),
    },
    {
      id: 'cpu',
      head: words.cpu,
      width: 72,
      className: 'num hide-s',
      cell: (one) =>
        one.connected ? <span className={cx(one.cpu >= HOT && 'wait')}>{f.percent(one.cpu, 0)}</span> : '–',
    },
    {
      id: 'memory',
      head: words.memory,
      width: 104,
      className: 'num hide-s',
      cell: (one) => (one.connected ? f.bytes(one.memory_free) : '–'),
    },
    {
      id: 'labels',
      head: words.labels,
      width: 250,
      className: 'hide-m',
      cell: (one) => (
        <span className="tags">
          <span className="grey small">{one.version}</span>
          {Object.entries(one.labels).map(([key, value]) => (
            <span key={key} className="tag">
              {key} {value}
            </span>
          ))}
        </span>
      ),
    },
  ]
  return (
    <>
      <PageHead title={t.executors.title} sub={summary}>
        <Button icon="plus" onClick={() => setHow(true)}>
          {t.executors.connect}
        </Button>
      </PageHead>
      <div className="tools">
        <TextFilter
          text={text}
          onChange={(text) => patch({ text })}
          placeholder={t.executors.search}
          label={t.executors.searchLabel}
        />
      </div>
      {list.error && !list.data ? (
        <section className="sec">
          <ErrorCard error={list.error} retry={() => void list.refetch()} />
        </section>
      ) : list.data && rows.length === 0 && !text ? (
        <Empty
          icon="exec"
          title={t.executors.empty.title}
          actions={
            <Button look="main" onClick={() => setHow(true)}>
              {t.executors.connect}
            </Button>
          }
        >
          {t.executors.empty.detail}
        </Empty>
      ) : list.data && rows.length === 0 ? (
        <Empty icon="exec" title={t.executors.noMatch} />
      ) : (
        <Table<ExecutorView, string>
          label={t.executors.title}
          className="execs"
          columns={columns}
          rows={rows}
          rowKey={(one) => `${one.service}.${one.name}.${one.incarnation}`}
          rowName={(one) => one.name}
          loading={list.isPending}
          group={(one, before) => {
            if (before?.service === one.service) return null
            // The rest of the last group may be on the next page.
            if (list.hasNextPage && one.service === rows[rows.length - 1]?.service) {
              return <strong>{one.service}</strong>
            }
            const mine = rows.filter((other) => other.service === one.service && other.connected)
            return (
              <>
                <strong>{one.service}</strong>
                {mine.length > 0 ? (
                  <span className="grey">
                    {say(t.executors.group, {
                      up: mine.length,
                      used: sum(mine, 'attempts'),
                      // A drained one gets no work; the sum at the top leaves it out, too.
                      capacity: sum(
                        mine.filter((other) => other.state === 'connected'),
                        'capacity',
                      ),
                    })}
                  </span>
                ) : (
                  <span className="wait">{t.executors.noneUp}</span>
                )}
              </>
            )
          }}
        />
      )}
      {rows.length > 0 && (
        <Pager list={list}>
          {total !== undefined && total > rows.length
            ? say(t.executors.countOf, { n: rows.length, of: total })
            : say(t.executors.count, { n: rows.length })}
        </Pager>
      )}
      {how && <ConnectDialog token={about.data?.token ?? false} onClose={() => setHow(false)} />}
    </>
  )
}
