/** The alarms that were raised, newest first, with what became of each. */
import { itemsOf, useAlarms, useChannels } from '../../api/queries'
import { useSearchOn } from '../../api/searchOn'
import type { AlarmView } from '../../api/types'
import { useI18n } from '../../i18n'
import { messageIn } from '../../i18n/server'
import { searchOf, type Token, tokensOf } from '../../lib/tokens'
import {
  Button,
  type Column,
  Empty,
  ErrorCard,
  Go,
  NothingYet,
  Pager,
  PeekText,
  paths,
  Status,
  Table,
  Time,
  TokenSearch,
  usePatchSearch,
} from '../../ui'
import { alarmWords, useAlarmPeek } from './peek'

interface Props {
  job: string | undefined
  channel: string | undefined
  /** Free words. */
  text: string | undefined
}

export function PastAlarms({ job, channel, text }: Props) {
  const i18n = useI18n()
  const { t, f, say } = i18n
  const words = t.alarms.columns
  const patch = usePatchSearch()
  const list = useAlarms({ ...(job && { job }), ...(channel && { channel }), ...(text && { text }) })
  const channels = useChannels()
  const rows = itemsOf(list.data)
  const searched = useSearchOn(list, JSON.stringify({ job, channel, text }))
  const { peek, panel } = useAlarmPeek(rows)
  const kinds = t.alarms.kinds as Record<string, string>
  const tokens = tokensOf({ job, channel }, ['job', 'channel'])
  const apply = (next: Token[], rest: string) =>
    patch({ job: undefined, channel: undefined, ...searchOf(next), text: rest || undefined })
  const columns: Column<AlarmView>[] = [
    {
      id: 'state',
      head: words.state,
      width: 116,
      className: 'c-st',
      cell: (one) => <Status state={one.state} />,
    },
    {
      id: 'job',
      head: words.job,
      width: 230,
      className: 'c-job',
      cell: (one) => (
        <>
          <Go row className="b" to={one.task === null ? paths.job(one.job) : paths.task(one.task)}>
            {one.job.split('.').slice(1).join('.') || one.job}
          </Go>{' '}
          <span className="grey">{one.job.split('.')[0]}</span>
        </>
      ),
    },
    {
      id: 'what',
      head: words.what,
      width: 104,
      className: 'hide-s',
      cell: (one) => kinds[one.kind] ?? one.kind,
    },
    { id: 'channel', head: words.channel, width: 120, className: 'grey hide-s', cell: (one) => one.channel },
    {
      id: 'at',
      head: words.at,
      width: 110,
      className: 'num c-due',
      cell: (one) => <Time at={one.at} look="near" />,
    },
    {
      id: 'tries',
      head: words.tries,
      width: 70,
      className: 'num grey hide-m',
      cell: (one) => f.n(one.tries),
    },
    {
      id: 'why',
      head: words.why,
      className: 'c-res',
      cell: (one) => {
        const text =
          one.state === 'given_up' && one.last_error
            ? messageIn(one.last_error, i18n).text
            : alarmWords(one, i18n).text || (kinds[one.kind] ?? one.kind)
        return <PeekText text={text} quiet={one.state !== 'given_up'} onPeek={() => peek(one)} />
      },
    },
  ]
  return (
    <>
      <div className="tools">
        <TokenSearch
          tokens={tokens}
          text={text ?? ''}
          keys={[
            { key: 'job', hint: t.alarms.tokens.job },
            {
              key: 'channel',
              hint: t.alarms.tokens.channel,
              values: (text) =>
                (channels.data?.items ?? []).map((one) => one.name).filter((name) => name.includes(text)),
            },
          ]}
          onChange={apply}
          placeholder={t.alarms.search}
          label={t.alarms.searchLabel}
        />
      </div>
      {list.error && rows.length === 0 ? (
        <section className="sec">
          <ErrorCard error={list.error} retry={() => void list.refetch()} />
        </section>
      ) : rows.length === 0 && searched.stopped ? (
        <NothingYet search={searched} icon="bell" />
      ) : list.data && rows.length === 0 && !list.hasNextPage ? (
        tokens.length > 0 || text ? (
          <Empty
            icon="bell"
            title={t.alarms.noMatch}
            actions={<Button onClick={() => apply([], '')}>{t.act.clear}</Button>}
          />
        ) : (
          <Empty icon="bell" title={t.alarms.none.title}>
            {t.alarms.none.detail}
          </Empty>
        )
      ) : (
        <Table<AlarmView, number>
          label={t.alarms.title}
          className="tasks"
          columns={columns}
          rows={rows}
          rowKey={(one) => one.id}
          rowName={(one) => one.job}
          loading={list.isPending || (rows.length === 0 && searched.searching)}
          skeletons={searched.searching ? 4 : 8}
          onPeek={peek}
        />
      )}
      {panel}
      {(rows.length > 0 || (list.hasNextPage && !searched.stopped)) && (
        <Pager list={list} search={searched} n={rows.length}>
          {say(t.alarms.count, { n: rows.length })}
        </Pager>
      )}
    </>
  )
}
