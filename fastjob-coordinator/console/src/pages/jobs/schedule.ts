/** The schedule of a job, as lists and pages show it. */
import type { JobView, ScheduleDraft } from '../../api/types'

export const scheduleOf = (job: Pick<JobView, 'schedule'>): ScheduleDraft | null =>
  typeof job.schedule === 'object' && job.schedule !== null ? job.schedule : null

/** The expression as it is written. */
export function expressionOf(job: Pick<JobView, 'schedule'>): string {
  const schedule = scheduleOf(job)
  if (!schedule) return 'none'
  const zone = schedule.zone ? ` · ${schedule.zone.split('/').pop()?.replace(/_/g, ' ') ?? ''}` : ''
  if (schedule.cron) return `${schedule.cron}${zone}`
  if (schedule.fixed_rate) return `fixed_rate ${schedule.fixed_rate}`
  if (schedule.fixed_delay) return `fixed_delay ${schedule.fixed_delay}`
  return schedule.once ? `once${zone}` : 'none'
}
