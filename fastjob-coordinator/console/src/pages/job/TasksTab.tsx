/** The newest tasks of a job. All filters are on the page of tasks. */
import { Link } from '@tanstack/react-router'
import { useMemo } from 'react'
import { itemsOf, useTasks } from '../../api/queries'
import type { JobView, TaskView } from '../../api/types'
import { useI18n } from '../../i18n'
import { Button, Empty, ErrorCard, Table } from '../../ui'
import { fullName } from '../task/shards'
import { useTaskActions } from '../task/useTaskActions'
import { COLUMNS, useTaskColumns } from '../tasks/columns'
import { useTaskPeek } from '../tasks/peek'
import { useUsual } from '../tasks/usual'

export function TasksTab({ job }: { job: JobView }) {
  const { t } = useI18n()
  const name = fullName(job)
  const list = useTasks({ job: name })
  const rows = itemsOf(list.data)
  const act = useTaskActions()
  const usual = useUsual([name])
  const shown = useMemo(() => new Set(COLUMNS), [])
  const { peek, panel } = useTaskPeek(rows)
  const columns = useTaskColumns(usual, shown, act, true, peek)
  if (list.error && rows.length === 0) {
    return (
      <section className="sec tight">
        <ErrorCard error={list.error} retry={() => void list.refetch()} />
      </section>
    )
  }
  if (list.data && rows.length === 0) return <Empty icon="tasks" title={t.job.lastNone} />
  return (
    <>
      <Table<TaskView, number>
        label={t.job.tabs.tasks}
        className="tasks"
        columns={columns}
        rows={rows}
        rowKey={(task) => task.id}
        rowName={(task) => `${task.job} ${task.id}`}
        loading={list.isPending}
        onPeek={peek}
      />
      <div className="pager">
        <Link className="link" to="/tasks" search={{ job: name }}>
          {t.job.showTasks}
        </Link>
        {list.hasNextPage && (
          <span className="end">
            <Button small busy={list.isFetchingNextPage} onClick={() => void list.fetchNextPage()}>
              {t.act.loadMore}
            </Button>
          </span>
        )}
      </div>
      {act.dialog}
      {panel}
    </>
  )
}
