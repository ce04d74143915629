/** `j` and `k` go to the next older and newer task of the same job, from any place in its history. */
import { useNavigate } from '@tanstack/react-router'
import { useRef } from 'react'
import { get } from '../../api/client'
import type { Page, TaskView } from '../../api/types'
import { useKeys } from '../../lib/keys'
import { toast } from '../../ui'
import { behind } from './neighbours'
import { fullName } from './shards'

/** Tasks around the present one that are read at once: several may have been created at the same instant. */
const AROUND = 50

export function useNeighbours(task: TaskView): void {
  const navigate = useNavigate()
  const busy = useRef(false)
  const move = async (older: boolean) => {
    if (busy.current) return
    busy.current = true
    try {
      const at = Date.parse(task.created_at)
      const { items } = await get<Page<TaskView>>('/tasks', {
        job: fullName(task),
        limit: AROUND,
        // The end of a range is not part of it.
        ...(older
          ? { until: new Date(at + 1).toISOString() }
          : { since: new Date(at).toISOString(), order: 'oldest' }),
      })
      const next = behind(items, task, older)
      if (next) void navigate({ to: '/tasks/$task', params: { task: String(next.id) }, search: {} })
    } catch (failed) {
      toast.failed(failed)
    } finally {
      busy.current = false
    }
  }
  useKeys({ j: () => void move(true), k: () => void move(false) })
}
