/** What an open overview costs its browser while many tasks run. */
import { chromium, test } from '@playwright/test'
import { feeder } from './feeder'
import { framesDuring, Processes, used } from './processes'
import { frames, launch, report, rounded, setting, sleep, strict, url, view } from './support'

test('an open overview in a storm', async () => {
  const seconds = setting<number>('seconds')
  const fed = setting<number>('fed')
  const feed = fed > 0 ? await feeder(fed) : null
  const browser = await chromium.launch(launch)
  try {
    const page = await browser.newPage(view)
    strict(page)
    const requests = new Map<string, number>()
    page.on('request', (request) => {
      const { pathname } = new URL(request.url())
      requests.set(pathname, (requests.get(pathname) ?? 0) + 1)
    })
    await page.goto(`${feed?.url ?? url}/console/overview`)
    await page.locator('main .metrics:not(:has(.sk))').waitFor()
    await page.getByText('Live', { exact: true }).waitFor()
    const processes = await Processes.of(browser, page)
    await sleep(5_000)

    // First without any instrument in the page, because one that counts frames makes frames.
    requests.clear()
    await processes.collect()
    const sentBefore = feed?.sent() ?? 0
    const before = await processes.take()
    const from = Date.now()
    await sleep(seconds * 1000)
    const until = Date.now()
    const after = await processes.take()
    const sent = (feed?.sent() ?? 0) - sentBefore
    const asked = Object.fromEntries(
      [...requests].map(([path, count]) => [path, rounded((count * 60) / seconds)] as const),
    )
    await processes.collect()
    const kept = await processes.take()
    const deltas = await framesDuring(page, () => sleep(Math.min(seconds, 20) * 1000))
    report({
      from,
      until,
      used: used(before, after),
      heap_mib_before: rounded((before.page.JSHeapUsedSize ?? 0) / 2 ** 20),
      heap_mib_kept: rounded((kept.page.JSHeapUsedSize ?? 0) / 2 ** 20),
      dom_nodes_before: before.page.Nodes,
      frames: frames(deltas),
      requests_per_minute: asked,
      events_fed: sent,
    })
  } finally {
    await browser.close()
    await feed?.close()
  }
})
