/** What is silenced, until when, and why. */
import { actions, useAction, useSilences } from '../../api/queries'
import type { SilenceView } from '../../api/types'
import { useI18n } from '../../i18n'
import { Button, type Column, Empty, ErrorCard, Go, paths, Table, Time, toast } from '../../ui'

export function Silences() {
  const { t } = useI18n()
  const words = t.alarms.silence
  const list = useSilences()
  const end = useAction(actions.unsilence, 'alarms')
  const rows = list.data?.items ?? []
  const columns: Column<SilenceView>[] = [
    {
      id: 'job',
      head: words.job,
      width: 240,
      className: 'c-name',
      cell: (one) =>
        one.job ? (
          <Go row className="b" to={paths.job(one.job)}>
            {one.job}
          </Go>
        ) : (
          words.everyJob
        ),
    },
    {
      id: 'channel',
      head: words.channel,
      width: 150,
      className: 'c-addr',
      cell: (one) => one.channel ?? words.everyChannel,
    },
    {
      id: 'until',
      head: words.for,
      width: 150,
      className: 'num c-use',
      cell: (one) => <Time at={one.until} />,
    },
    { id: 'reason', head: words.reason, className: 'grey hide-s', cell: (one) => one.reason },
    {
      id: 'end',
      head: <span className="sr">{words.end}</span>,
      width: 110,
      className: 'num c-st',
      cell: (one) => (
        <Button
          small
          onClick={() => end.mutateAsync([one.id]).then(() => toast.done(words.ended), toast.failed)}
        >
          {words.end}
        </Button>
      ),
    },
  ]
  if (list.error && rows.length === 0) {
    return (
      <section className="sec tight">
        <ErrorCard error={list.error} retry={() => void list.refetch()} />
      </section>
    )
  }
  if (list.data && rows.length === 0) return <Empty icon="bell" title={words.none} />
  return (
    <Table<SilenceView, number>
      label={t.alarms.tabs.silences}
      className="execs"
      columns={columns}
      rows={rows}
      rowKey={(one) => one.id}
      rowName={(one) => one.job ?? words.everyJob}
      loading={list.isPending}
      skeletons={2}
    />
  )
}
