/** The coordinators that share a store, and whether this one is ready. */
import { isUnknownCall } from '../../api/client'
import { useAbout, useNodes } from '../../api/queries'
import type { NodeView } from '../../api/types'
import { useI18n } from '../../i18n'
import {
  type Column,
  Duration,
  ErrorCard,
  KeyValue,
  Message,
  PageHead,
  ProblemNote,
  Section,
  Skeleton,
  Status,
  Table,
  Time,
} from '../../ui'

export default function ClusterPage() {
  const { t, f, say } = useI18n()
  const words = t.cluster
  const nodes = useNodes()
  const about = useAbout()
  const list = nodes.data?.items ?? []
  const here = about.data
  const states = words.states as Record<string, string>
  const columns: Column<NodeView>[] = [
    {
      id: 'address',
      head: words.columns.address,
      className: 'c-name',
      cell: (node) => (
        <>
          <span className="mono">{node.address}</span>{' '}
          {node.answers && <span className="tag hide-s">{words.answers}</span>}
        </>
      ),
    },
    {
      id: 'state',
      head: words.columns.state,
      width: 110,
      className: 'c-st',
      cell: (node) => (
        <Status state={node.state === 'silent' ? 'disconnected' : 'connected'}>
          {states[node.state ?? 'alive'] ?? node.state}
        </Status>
      ),
    },
    {
      id: 'partitions',
      head: words.columns.partitions,
      width: 96,
      className: 'num c-use',
      cell: (node) => (
        <>
          <span className="only-s grey">{words.columns.partitions}&nbsp;</span>
          {f.n(node.partitions)}
        </>
      ),
    },
    {
      id: 'lease',
      head: words.columns.lease,
      width: 100,
      className: 'num hide-s',
      cell: (node) => (typeof node.lease_left_ms === 'number' ? f.duration(node.lease_left_ms) : '–'),
    },
    {
      id: 'clock',
      head: words.columns.clock,
      width: 84,
      className: 'num hide-s',
      cell: (node) =>
        typeof node.clock_offset_ms === 'number'
          ? `${node.clock_offset_ms < 0 ? '−' : '+'}${f.duration(Math.abs(node.clock_offset_ms))}`
          : '–',
    },
    {
      id: 'since',
      head: words.columns.since,
      width: 84,
      className: 'num hide-s',
      cell: (node) => <Duration from={node.since} />,
    },
    {
      id: 'version',
      head: words.columns.version,
      width: 84,
      className: 'grey hide-s',
      cell: (node) => node.version,
    },
  ]
  return (
    <>
      <PageHead
        title={words.title}
        sub={nodes.data && (list.length > 1 ? say(words.several, { n: list.length }) : words.one)}
      />
      <section className="sec tight">
        {here ? (
          <KeyValue
            items={[
              [
                words.facts.ready,
                here.problems.length === 0 ? (
                  <Status key="r" state="connected">
                    {words.facts.yes}
                  </Status>
                ) : (
                  <Status key="r" state="lost">
                    {words.problems}
                  </Status>
                ),
              ],
              [words.facts.store, (words.stores as Record<string, string>)[here.store] ?? here.store],
              [words.facts.version, here.version],
              [words.facts.since, <Time key="s" at={here.started_at} />],
              [words.facts.token, here.token ? words.facts.needed : words.facts.notNeeded],
              [words.facts.logs, here.logs ? words.facts.kept : words.facts.notKept],
            ]}
          />
        ) : about.error ? (
          isUnknownCall(about.error) ? null : (
            <ProblemNote error={about.error} />
          )
        ) : (
          <Skeleton width="60%" />
        )}
      </section>
      {here && here.problems.length > 0 && (
        <Section title={words.problems}>
          <ul className="plain">
            {here.problems.map((problem) => (
              <li key={problem} className="bad">
                <Message text={problem} />
              </li>
            ))}
          </ul>
        </Section>
      )}
      <div className="gap-top">
        {nodes.error && !nodes.data ? (
          <section className="sec">
            <ErrorCard error={nodes.error} retry={() => void nodes.refetch()} />
          </section>
        ) : (
          <Table<NodeView, string>
            label={words.title}
            className="execs"
            columns={columns}
            rows={list}
            rowKey={(node) => node.id}
            rowName={(node) => node.address}
            loading={nodes.isPending}
            skeletons={1}
          />
        )}
      </div>
    </>
  )
}
