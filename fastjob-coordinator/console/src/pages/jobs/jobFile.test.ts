import { describe, expect, it } from 'vitest'
import type { JobDraft } from '../../api/types'
import { toToml } from '../editor/model/toml'
import { isJson, readJobs } from './jobFile'

const TOML = `
# the jobs of billing
[[job]]
name = "report"
service = "billing"
param = { month = "2026-11", regions = ["eu", "us"] }
schedule = { once = 2029-11-23T06:00:00Z }
retry = { count = 3, factor = 2.0 }

[[job]]
name = "ping"
[job.labels]
team = "billing"
`

describe('files of jobs', () => {
  it('are told apart by their name, else by how they begin', () => {
    expect(isJson('[[job]]')).toBe(false)
    expect(isJson('  [ {"name": "a"} ]')).toBe(true)
    expect(isJson('{}')).toBe(true)
    expect(isJson('[]')).toBe(true)
    expect(isJson('[[job]]', 'jobs.json')).toBe(true)
    expect(isJson('{}', 'jobs.toml')).toBe(false)
  })

  it('are read from TOML as `job apply` reads them', async () => {
    expect(await readJobs(TOML)).toEqual([
      {
        name: 'report',
        service: 'billing',
        param: { month: '2026-11', regions: ['eu', 'us'] },
        schedule: { once: '2029-11-23T06:00:00.000Z' },
        retry: { count: 3, factor: 2 },
      },
      { name: 'ping', labels: { team: 'billing' } },
    ])
  })

  it('are read from what the coordinator answers, without what it adds', async () => {
    const job = { id: 7, revision: 3, name: 'a', activity: {}, origin: 'code' }
    for (const file of [[job], { items: [job] }, { jobs: [job] }, job]) {
      expect(await readJobs(JSON.stringify(file))).toEqual([{ name: 'a', origin: 'code' }])
    }
  })

  it('say where they are wrong', async () => {
    await expect(readJobs('[[job]]\nname = \n')).rejects.toMatchObject({ format: 'TOML', line: 2 })
    await expect(readJobs('[job]\nname = "a"')).rejects.toThrow('[[job]]')
    await expect(readJobs('[[jobs]]\nname = "a"')).rejects.toThrow('`jobs`')
    await expect(readJobs('{"jobs": [1]}')).rejects.toThrow('job 1')
    await expect(readJobs('{"jobs": ')).rejects.toMatchObject({ format: 'JSON' })
    expect(await readJobs('')).toEqual([])
  })

  it('are what the console writes', async () => {
    const job = {
      name: 'a',
      service: 'billing',
      description: 'a "quoted" \\ text\nof two lines',
      param: '{"n":1}',
      labels: { 'team name': 'x' },
      schedule: { cron: '0 0 2 * * ?', zone: 'Asia/Shanghai' },
    } as unknown as JobDraft
    expect(await readJobs(toToml(job))).toEqual([{ ...job, param: { n: 1 } }])
  })
})
