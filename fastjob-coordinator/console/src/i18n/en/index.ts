import type { Words } from '../text'
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

export const en = {
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

/** The words of a language: what English has, every other one has too. */
export type Dictionary = Words<typeof en>
