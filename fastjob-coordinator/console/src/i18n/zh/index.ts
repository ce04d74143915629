import type { Dictionary } from '../en'
import { alarms } from './alarms'
import { cluster } from './cluster'
import { common } from './common'
import { editor } from './editor'
import { executor } from './executor'
import { executors } from './executors'
import { handlers } from './handlers'
import { job } from './job'
import { jobs } from './jobs'
import { overview } from './overview'
import { server } from './server'
import { settings } from './settings'
import { task } from './task'
import { tasks } from './tasks'
import { timetable } from './timetable'
import { waits } from './waits'

export const zh: Dictionary = {
  alarms,
  cluster,
  ...common,
  editor,
  executor,
  executors,
  handlers,
  job,
  jobs,
  overview,
  server,
  settings,
  task,
  tasks,
  timetable,
  waits,
}
