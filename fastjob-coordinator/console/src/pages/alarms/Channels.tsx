/** The channels of the configuration, with a test for each. */
import { useState } from 'react'
import { actions, useChannels } from '../../api/queries'
import type { ChannelView } from '../../api/types'
import { useI18n } from '../../i18n'
import { Button, type Column, Empty, ErrorCard, Table, toast, useMessage } from '../../ui'

export function Channels() {
  const { t, say } = useI18n()
  const words = t.alarms.channel
  const said = useMessage()
  const list = useChannels()
  const [testing, setTesting] = useState<string | null>(null)
  const rows = list.data?.items ?? []
  const test = async (name: string) => {
    setTesting(name)
    try {
      const done = await actions.testChannel(name)
      if (done.sent) toast.done(words.sent)
      else toast.failed(say(words.notSent, { why: said(done.error ?? '').text }))
    } catch (error) {
      toast.failed(error)
    }
    setTesting(null)
  }
  const columns: Column<ChannelView>[] = [
    { id: 'name', head: t.alarms.columns.channel, className: 'c-name b', cell: (one) => one.name },
    { id: 'kind', head: words.kind, width: 120, className: 'c-addr', cell: (one) => one.kind },
    { id: 'wait', head: words.wait, width: 130, className: 'num hide-s', cell: (one) => one.group_wait },
    {
      id: 'interval',
      head: words.interval,
      width: 130,
      className: 'num hide-s',
      cell: (one) => one.group_interval,
    },
    {
      id: 'defaults',
      head: words.defaults,
      width: 220,
      className: 'grey hide-s',
      cell: (one) => one.default_for.join(', ') || '–',
    },
    {
      id: 'test',
      head: <span className="sr">{words.test}</span>,
      width: 130,
      className: 'num c-st',
      cell: (one) => (
        <Button small busy={testing === one.name} onClick={() => void test(one.name)}>
          {words.test}
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
  if (list.data && rows.length === 0) {
    return (
      <Empty icon="bell" title={t.alarms.noChannels.title}>
        {t.alarms.noChannels.detail}
      </Empty>
    )
  }
  return (
    <Table<ChannelView, string>
      label={t.alarms.tabs.channels}
      className="execs"
      columns={columns}
      rows={rows}
      rowKey={(one) => one.name}
      rowName={(one) => one.name}
      loading={list.isPending}
      skeletons={2}
    />
  )
}
