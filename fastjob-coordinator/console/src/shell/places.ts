import type { IconName } from '../ui'

/** The pages of the rail, with the letter behind `g` and the words by which the palette finds them. */
export const places = [
  { id: 'overview', icon: 'home', key: 'o', words: 'overview home dashboard 概览 运行报表 首页' },
  { id: 'jobs', icon: 'jobs', key: 'j', words: 'jobs schedules 任务 任务管理' },
  { id: 'tasks', icon: 'tasks', key: 't', words: 'tasks runs logs 调度记录 调度日志' },
  { id: 'timetable', icon: 'cal', key: 'w', words: 'timetable calendar week fires 时间表 日历' },
  { id: 'executors', icon: 'exec', key: 'e', words: 'executors workers 执行器' },
  { id: 'handlers', icon: 'code', key: 'h', words: 'handlers code 处理器' },
  { id: 'alarms', icon: 'bell', key: 'a', words: 'alarms alerts silences channels 告警 报警 静默' },
  { id: 'cluster', icon: 'nodes', key: 'n', words: 'cluster nodes coordinators 集群 节点' },
] as const satisfies readonly { id: string; icon: IconName; key: string; words: string }[]

export const settingsPlace = {
  id: 'settings',
  icon: 'gear',
  key: 's',
  words: 'settings preferences 设置',
} as const

/** Those of the bar on a phone. */
export const phonePlaces = ['overview', 'jobs', 'tasks', 'executors', 'alarms'] as const
