// Runs before the first paint: the shape of the page, which is in index.html, appears in the theme that was chosen, and
// goes away when the page itself is there. Meanwhile it asks for what the page needs first: its own script, and whether
// somebody is signed in. A file, because the policy for content allows no script in the page.
;(() => {
  const root = document.documentElement
  let settings = {}
  try {
    settings = JSON.parse(localStorage.getItem('fastjob.settings') || '{}') || {}
  } catch {
    // Without storage, or with settings that cannot be read, they are the system's.
  }
  const { theme, language, startPage } = settings
  const isDark = theme === 'dark' || (theme !== 'light' && matchMedia('(prefers-color-scheme: dark)').matches)
  root.classList.toggle('dark', isDark)

  const base = document.querySelector('meta[name="fastjob-base"]')?.content
  const script = document.currentScript?.src
  // Vite's own server has neither the base nor scripts of these names.
  if (base && script) {
    const home = new URL(`${base}/`, location.href)
    const session = new URL('console/session', home)
    // The page awaits this instead of asking again.
    window.fastjobSession = fetch(session, { credentials: 'same-origin' }).catch(() => null)

    // The scripts of pages, by how their paths begin: the first that fits. The build checks that they exist.
    const pages = [
      ['jobs/new', 'EditorPage'],
      ['jobs/[^/]+/edit', 'EditorPage'],
      ['jobs/.', 'JobPage'],
      ['jobs', 'JobsPage'],
      ['tasks/.', 'TaskPage'],
      ['tasks', 'TasksPage'],
      ['executors', 'executors'],
      ['handlers', 'executors'],
      ['alarms', 'AlarmsPage'],
      ['cluster', 'ClusterPage'],
      ['timetable', 'TimetablePage'],
      ['settings', 'SettingsPage'],
      ['overview', 'OverviewPage'],
    ]
    const path = location.pathname.slice(new URL('console/', home).pathname.length)
    const shown = path || (startPage === 'jobs' ? 'jobs' : 'overview')
    const page = pages.find(([start]) => new RegExp(`^${start}`).test(shown))
    const speaks = language || (/^zh/i.test(navigator.language) ? 'zh' : 'en')
    for (const name of [page?.[1], speaks === 'zh' && 'zh']) {
      if (!name) continue
      const link = document.createElement('link')
      link.rel = 'modulepreload'
      link.href = new URL(`${name}.js`, script).href
      document.head.append(link)
    }
  }

  new MutationObserver((_, observer) => {
    // The frame of the pages, or the sign-in.
    if (!document.querySelector('#root .app, #root main')) return
    observer.disconnect()
    document.getElementById('boot')?.remove()
  }).observe(document, { childList: true, subtree: true })
})()
