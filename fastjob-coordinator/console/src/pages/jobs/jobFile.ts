/** Files of jobs, as `fastjob job apply` reads them: TOML with `[[job]]`, or JSON with an object, a list, or what the
 * coordinator answers. Only their form is checked here; the coordinator judges the fields. */
import type { ApplyRequest, Json } from '../../api/types'

export type FileJob = ApplyRequest['jobs'][number]

/** Why a file cannot be read: the line if it is known, and what is wrong. */
export class Unreadable extends Error {
  override readonly name = 'Unreadable'
  constructor(
    readonly format: 'TOML' | 'JSON',
    readonly line: number | null,
    message: string,
  ) {
    super(message)
  }
}

/** What the coordinator adds to a definition. */
const OF_THE_API = [
  'id',
  'revision',
  'created_at',
  'updated_at',
  'next_fire_at',
  'activity',
  'overrides',
  'declared',
]

/** By its name, else by how it begins: a list of JSON has an object or nothing in it, and a table of TOML a name. */
export function isJson(text: string, name = ''): boolean {
  if (/\.json$/i.test(name)) return true
  if (/\.toml$/i.test(name)) return false
  return /^\s*(\{|\[\s*[{\]])/.test(text)
}

/**
 * The jobs of a file.
 *
 * Rejects with `Unreadable`. A file without jobs has an empty list.
 */
export async function readJobs(text: string, name?: string): Promise<FileJob[]> {
  const list = isJson(text, name) ? ofJson(text) : await ofToml(text)
  return list.map((job) => {
    if (!('id' in job && 'revision' in job)) return job as unknown as FileJob
    const kept = Object.entries(job).filter(([field]) => !OF_THE_API.includes(field))
    return Object.fromEntries(kept) as unknown as FileJob
  })
}

type Table = { [field: string]: Json }
const isTable = (value: unknown): value is Table =>
  value !== null && typeof value === 'object' && !Array.isArray(value)

function tables(list: unknown[], format: 'TOML' | 'JSON'): Table[] {
  const wrong = list.findIndex((one) => !isTable(one))
  if (wrong >= 0) throw new Unreadable(format, null, `job ${wrong + 1} is not a table`)
  return list as Table[]
}

function ofJson(text: string): Table[] {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    const at = /position (\d+)/.exec(message)?.[1]
    const line = at === undefined ? null : text.slice(0, Number(at)).split('\n').length
    throw new Unreadable('JSON', line, message.replace(/ in JSON at position \d+.*/s, ''))
  }
  if (Array.isArray(value)) return tables(value, 'JSON')
  if (!isTable(value)) throw new Unreadable('JSON', null, 'neither an object nor a list')
  const list = [value.jobs, value.job, value.items].find(Array.isArray)
  return tables(list ?? [value], 'JSON')
}

async function ofToml(text: string): Promise<Table[]> {
  // Few people import a file: its reader is loaded for them alone.
  const { parse, TomlDate, TomlError } = await import('smol-toml')
  let file: Record<string, unknown>
  try {
    file = parse(text)
  } catch (error) {
    if (!(error instanceof TomlError)) throw error
    const first = error.message.split('\n')[0] ?? ''
    throw new Unreadable('TOML', error.line, first.replace(/^Invalid TOML document: /, ''))
  }
  const other = Object.keys(file).find((key) => key !== 'job')
  if (other !== undefined) throw new Unreadable('TOML', null, `unknown field \`${other}\`, expected [[job]]`)
  const jobs = file.job ?? []
  if (!Array.isArray(jobs)) throw new Unreadable('TOML', null, 'write [[job]] above each job, not [job]')
  return tables(jobs.map(plain), 'TOML')

  /** The same value in JSON. Instants become texts, so that they may be written with or without quotes. */
  function plain(value: unknown): Json {
    if (value instanceof TomlDate) return value.toISOString()
    if (Array.isArray(value)) return value.map(plain)
    if (value !== null && typeof value === 'object') {
      return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, plain(one)]))
    }
    // JSON has no infinity; the coordinator rejects the text where it expects a number.
    if (typeof value === 'number' && !Number.isFinite(value)) return String(value)
    return value as Json
  }
}
