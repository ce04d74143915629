// Runs before the first paint: the shape of the page, which is in index.html, appears in the theme that was chosen, and
// goes away when the page itself is there. A file, because the policy for content allows no script in the page.
;(() => {
  const root = document.documentElement
  let theme
  try {
    theme = JSON.parse(localStorage.getItem('fastjob.settings') || '{}').theme
  } catch {
    // Without storage, or with a setting that cannot be read, the theme is the system's.
  }
  const isDark = theme === 'dark' || (theme !== 'light' && matchMedia('(prefers-color-scheme: dark)').matches)
  root.classList.toggle('dark', isDark)
  new MutationObserver((_, observer) => {
    // The frame of the pages, or the sign-in.
    if (!document.querySelector('#root .app, #root main')) return
    observer.disconnect()
    document.getElementById('boot')?.remove()
  }).observe(document, { childList: true, subtree: true })
})()
