import type { timetable as en } from '../en/timetable'
import type { Words } from '../text'

export const timetable: Words<typeof en> = {
  title: '时间表',
  sub: '任务的触发时间，以及在哪里集中',
  range: { label: '范围', day: '日', week: '周' },
  previous: '更早',
  next: '更晚',
  now: '现在',
  job: '任务',
  all: '全部任务',
  cell: { other: '{n} 次触发，{at}' },
  total: { other: '{n} 次触发' },
  more: '超过 {n} 次触发',
  cut: '触发次数过多，无法全部显示：请选择服务。',
  none: { title: '此范围内没有触发', detail: '没有已启动的任务在这段时间内触发。' },
  busiest: '最多：{at}，{n} 次',
  few: '少',
  many: '多',
}
