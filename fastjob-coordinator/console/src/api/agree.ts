/**
 * The types of this console and those that the coordinator describes in `openapi.json` agree: what a coordinator of
 * this release answers can be read as our types. `npm run types` writes `schema.d.ts`; what differs does not compile.
 */
import type { components } from './schema'
import type * as ours from './types'

type Schemas = components['schemas']

/** Values of any kind are JSON. */
type Known<T> = unknown extends T
  ? ours.Json
  : T extends (infer Item)[]
    ? Known<Item>[]
    : T extends object
      ? { [Key in keyof T]: Known<T[Key]> }
      : T

/** Compiles only if `Theirs` can be read as `Ours`. */
type Reads<Ours, Theirs extends Ours> = Theirs

export type Agreement = [
  Reads<ours.AlarmView, Known<Schemas['AlarmView']>>,
  Reads<ours.Applied, Known<Schemas['Applied']>>,
  Reads<ours.AttemptView, Known<Schemas['AttemptView']>>,
  Reads<ours.Attention, Known<Schemas['Attention']>>,
  Reads<ours.AboutView, Known<Schemas['About']>>,
  Reads<ours.Backfilled, Known<Schemas['Backfilled']>>,
  Reads<ours.BulkAnswer, Known<Schemas['BulkJobs']>>,
  Reads<ours.BulkAnswer, Known<Schemas['BulkTasks']>>,
  Reads<ours.ChangedEvent, Known<Schemas['Changed']>>,
  Reads<ours.ChannelView, Known<Schemas['ChannelView']>>,
  Reads<ours.CountsEvent, Known<Schemas['Counts']>>,
  Reads<ours.ExecutorView, Known<Schemas['ExecutorView']>>,
  Reads<ours.FireView, Known<Schemas['FireView']>>,
  Reads<ours.Fires, Known<Schemas['Fires']>>,
  Reads<ours.HandlerView, Known<Schemas['HandlerView']>>,
  Reads<ours.JobStatsView, Known<Schemas['JobStatsView']>>,
  Reads<ours.JobVersion, Known<Schemas['JobVersion']>>,
  Reads<ours.JobView, Known<Schemas['JobView']>>,
  Reads<ours.LogView, Known<Schemas['LogView']>>,
  Reads<ours.NodeView, Known<Schemas['NodeView']>>,
  Reads<ours.OverviewView, Known<Schemas['Overview']>>,
  Reads<ours.ProblemDetails, Known<Schemas['ProblemDetails']>>,
  Reads<ours.ScheduleView, Known<Schemas['ScheduleView']>>,
  Reads<ours.ServiceView, Known<Schemas['ServiceView']>>,
  Reads<ours.SilenceView, Known<Schemas['SilenceView']>>,
  Reads<ours.Started, Known<Schemas['Started']>>,
  Reads<ours.StatsView, Known<Schemas['StatsView']>>,
  Reads<ours.StopAnswer, Known<Schemas['StopAnswer']>>,
  Reads<ours.TaskView, Known<Schemas['TaskView']>>,
  Reads<ours.Tested, Known<Schemas['Tested']>>,
  Reads<ours.VersionView, Known<Schemas['VersionView']>>,
  // What we send.
  Reads<Known<Schemas['BackfillRequest']>, ours.BackfillRequest>,
  Reads<Known<Schemas['RerunRequest']>, ours.RerunRequest>,
  Reads<Known<Schemas['SilenceRequest']>, ours.SilenceRequest>,
  Reads<Known<Schemas['StartRequest']>, ours.StartRequest>,
]
