// Stands in for the console until its own files are built.
const base = new URL(document.querySelector('meta[name="fastjob-base"]').content + '/', location.href)
const root = document.getElementById('root')
const session = await (await fetch(new URL('console/session', base))).json()
root.textContent = `FastJob at ${base.pathname}, signed in: ${session.signed_in}`
