import fs from 'node:fs'
import { expect, test } from '@playwright/test'
import { Camera, changed } from './camera'
import { Clock } from './clock'
import { need, port, work } from './paths'
import { Program } from './program'

const NODES = 3
interface Node {
  address: string
  lease_left_ms: number
  clock_offset_ms: number | null
}

const NOW = '2026-12-02T07:40:00Z'

/** Three coordinators on one PostgreSQL, as `scripts/cluster` starts them. */
test('pictures of a cluster', async ({ browser }) => {
  // The database follows the same clock.
  const clock = new Clock(`${work}/cluster.clock`, '2026-12-02T07:38:00Z')
  const ports = Array.from({ length: NODES }, (_, index) => Number(port) + index)
  const nodes = ports.map((own) => {
    const cwd = `${work}/node-${own}`
    fs.mkdirSync(cwd)
    const env = { FASTJOB_STORE: need('PICTURES_STORE'), FASTJOB_CONSOLE_DIR: `${process.cwd()}/dist` }
    return Program.start(need('CONSOLE_SCENE'), ['serve', '--listen', `127.0.0.1:${own}`], clock, {
      cwd,
      env,
    })
  })
  try {
    const shares = async () => {
      const response = await fetch(`http://127.0.0.1:${port}/api/v1/nodes`).catch(() => null)
      if (!response?.ok) return []
      const { items } = (await response.json()) as { items: { partitions: number }[] }
      return items.map((node) => node.partitions).sort()
    }
    await expect.poll(shares, { timeout: 60_000 }).toEqual([10, 11, 11])
    clock.run(1, Date.parse(NOW) - 4_000)
    await clock.reaches(NOW)
    await new Camera(browser, Date.parse(NOW) + 1_000).take({
      name: 'cluster',
      to: '/cluster',
      size: { width: 1120, height: 460 },
      // The ports of this run, as those of `scripts/cluster`, in their order; and what each heartbeat changes.
      before: (page) =>
        changed<{ items: Node[] }>(page, '**/api/v1/nodes*', ({ items }) => {
          for (const node of items)
            node.address = node.address.replace(/\d+$/, (own) => String(7071 + Number(own) - Number(port)))
          items.sort((one, other) => one.address.localeCompare(other.address))
          for (const [index, node] of items.entries()) {
            node.lease_left_ms = 3_600 - 400 * index
            if (node.clock_offset_ms !== null) node.clock_offset_ms = 2
          }
        }),
      of: (page) => [page.locator('main .head'), page.locator('main tbody tr').last()],
    })
  } finally {
    await Promise.all(nodes.map((node) => node.end()))
  }
})
