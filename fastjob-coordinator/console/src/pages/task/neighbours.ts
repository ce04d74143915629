/** The task before and behind one in the history of its job. */
import type { TaskView } from '../../api/types'

type Place = Pick<TaskView, 'id' | 'created_at'>

/** The one behind the task in a list that begins at its instant, also if the task is not listed any more. */
export function behind<One extends Place>(
  list: readonly One[],
  task: Place,
  older: boolean,
): One | undefined {
  const at = list.findIndex((one) => one.id === task.id)
  if (at >= 0) return list[at + 1]
  const limit = Date.parse(task.created_at)
  return list.find((one) => {
    const created = Date.parse(one.created_at)
    return older ? created < limit : created > limit
  })
}
