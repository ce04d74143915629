import { Modal } from '@mantine/core'
import { type KeyboardEvent, type ReactNode, useEffect, useId, useMemo, useState } from 'react'
import { CHOICES, useFindJobs } from '../api/findJobs'
import { filterOf, score, textOfJob, wordsOf } from '../api/jobWords'
import { useExecutors, useServices } from '../api/queries'
import type { SearchOn } from '../api/searchOn'
import type { ExecutorView } from '../api/types'
import { useI18n } from '../i18n'
import { Button, Icon, type IconName, paths, Status, StatusIcon, useGo } from '../ui'
import { useReturnFocus } from '../ui/focus'
import { places, settingsPlace } from './places'
import { nextLanguage, nextTheme } from './Top'

interface Entry {
  id: string
  group: string
  icon: ReactNode
  name: ReactNode
  end?: ReactNode
  run: () => void
}

const icon = (name: IconName) => <Icon name={name} />

/** Finds jobs, tasks by number, executors, actions and pages, in both languages. Things first, then what can be
 * done with the chosen one, then places. */
export function Palette({ onClose }: { onClose: () => void }) {
  useReturnFocus()
  const { t, f, say } = useI18n()
  const go = useGo()
  const id = useId()
  const [text, setText] = useState('')
  /** The chosen entry; null for the first one. Entries that are found later do not move it. */
  const [active, setActive] = useState<string | null>(null)
  const wanted = text.trim().toLowerCase()
  const { jobs, more, search } = useFindJobs(text, { ends: 1 })
  const executors = useExecutors()
  const serviceViews = useServices().data?.items
  const services = useMemo(() => serviceViews?.map((one) => one.service) ?? [], [serviceViews])

  const entries = useMemo(() => {
    const words = wordsOf(wanted)
    const best = <T,>(list: readonly T[], textOf: (one: T) => string, most: number) =>
      list
        .map((one) => ({ one, score: score(textOf(one), words) }))
        .filter((one) => one.score >= 0)
        .sort((a, b) => b.score - a.score)
        .slice(0, most)
        .map(({ one }) => one)
    const to = (path: string) => () => go(path)
    const list: Entry[] = []
    if (/^#?\d{1,16}$/.test(wanted)) {
      const task = Number(wanted.replace('#', ''))
      list.push({
        id: `task${task}`,
        group: t.palette.tasks,
        icon: icon('tasks'),
        name: say(t.palette.taskNumber, { id: String(task) }),
        run: to(paths.task(task)),
      })
    }
    const found = wanted === '' ? [] : best(jobs, textOfJob, CHOICES)
    for (const job of found) {
      const end = job.activity?.ends[0]
      const state = job.activity?.running ? 'running' : end?.state
      list.push({
        id: `job${job.id}`,
        group: t.palette.jobs,
        icon: icon('jobs'),
        name: (
          <>
            {job.name} <span className="grey">{job.service}</span>
          </>
        ),
        end: state ? <Status state={state} still /> : job.next_fire_at ? f.near(job.next_fire_at) : null,
        run: to(paths.job(job.name, job.service)),
      })
    }
    if (more && wanted.length > 1) {
      const query = new URLSearchParams(filterOf(text.trim(), services))
      list.push({
        id: 'search-jobs',
        group: t.palette.jobs,
        icon: icon('search'),
        name: say(t.palette.searchJobs, { text: text.trim() }),
        run: to(`/jobs?${query}`),
      })
    }
    const hosts =
      wanted === ''
        ? []
        : best(
            executors.data?.items ?? [],
            (one: ExecutorView) => `${one.name} ${one.service} ${one.address}`,
            4,
          )
    for (const one of hosts) {
      list.push({
        id: `exec${one.service}.${one.name}`,
        group: t.palette.executors,
        icon: icon('exec'),
        name: (
          <>
            {one.name} <span className="grey">{one.service}</span>
          </>
        ),
        end: <StatusIcon state={one.state} />,
        run: to(paths.executor(one.name, one.service)),
      })
    }
    const top = found[0]
    if (top) {
      const path = paths.job(top.name, top.service)
      const group = say(t.palette.actions, { name: top.name })
      list.push(
        { id: 'a-start', group, icon: icon('play'), name: t.act.start, run: to(`${path}?start=1`) },
        {
          id: 'a-tasks',
          group,
          icon: icon('tasks'),
          name: t.nav.tasks,
          run: to(`/tasks?job=${encodeURIComponent(`${top.service}.${top.name}`)}`),
        },
        { id: 'a-edit', group, icon: icon('edit'), name: t.act.edit, run: to(`${path}/edit`) },
      )
    }
    const pages = [...places, settingsPlace]
    for (const place of best(pages, (one: (typeof pages)[number]) => one.words, wanted === '' ? 9 : 4)) {
      list.push({
        id: place.id,
        group: t.palette.pages,
        icon: icon(place.icon),
        name: t.nav[place.id],
        end: (
          <>
            <kbd>g</kbd> <kbd>{place.key}</kbd>
          </>
        ),
        run: to(`/${place.id}`),
      })
    }
    const commands = [
      {
        id: 'new',
        icon: 'plus',
        name: t.palette.newJob,
        words: 'new job create 新增任务 新建',
        run: to('/jobs/new'),
      },
      {
        id: 'theme',
        icon: 'sun',
        name: t.palette.theme,
        words: 'theme dark light 主题 深色 浅色',
        run: nextTheme,
      },
      {
        id: 'lang',
        icon: 'hand',
        name: t.palette.language,
        words: 'language chinese english 语言 中文',
        run: nextLanguage,
      },
    ] as const
    for (const one of best(commands, (command) => command.words, 3)) {
      list.push({ id: one.id, group: t.palette.pages, icon: icon(one.icon), name: one.name, run: one.run })
    }
    return list
  }, [wanted, text, jobs, more, services, executors.data, t, f, say, go])

  // biome-ignore lint/correctness/useExhaustiveDependencies: another text begins at the first entry.
  useEffect(() => setActive(null), [wanted])
  const index = Math.max(
    0,
    entries.findIndex((entry) => entry.id === active),
  )
  const choose = (entry: Entry | undefined) => {
    if (!entry) return
    onClose()
    entry.run()
  }
  const key = (event: KeyboardEvent) => {
    if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      event.preventDefault()
      const by = event.key === 'ArrowDown' ? 1 : -1
      setActive(entries[(index + by + entries.length) % entries.length]?.id ?? null)
    } else if (event.key === 'Enter') {
      event.preventDefault()
      choose(entries[index])
    }
  }
  useEffect(() => {
    document.getElementById(`${id}${index}`)?.scrollIntoView({ block: 'nearest' })
  }, [id, index])

  let group = ''
  return (
    <Modal.Root
      opened
      onClose={onClose}
      returnFocus={false}
      unstyled
      lockScroll={false}
      transitionProps={{ duration: 0 }}
      classNames={{ inner: 'over-l', content: 'pal', overlay: 'veil' }}
    >
      <Modal.Overlay />
      <Modal.Content aria-label={t.palette.title}>
        <div className="pal-q">
          <Icon name="search" />
          <input
            data-autofocus
            value={text}
            onChange={(event) => setText(event.target.value)}
            onKeyDown={key}
            placeholder={t.palette.placeholder}
            aria-label={t.palette.title}
            role="combobox"
            aria-expanded="true"
            aria-controls={`${id}list`}
            aria-autocomplete="list"
            aria-activedescendant={entries.length > 0 ? `${id}${index}` : undefined}
            autoComplete="off"
            spellCheck={false}
          />
        </div>
        <div className="pal-list" id={`${id}list`} role="listbox" aria-label={t.palette.title}>
          {entries.map((entry, at) => {
            const begins = entry.group !== group
            group = entry.group
            return (
              <div key={entry.id} role="presentation">
                {begins && <h3 role="presentation">{entry.group}</h3>}
                {/* biome-ignore lint/a11y/useKeyWithClickEvents: the field has the keys, by aria-activedescendant. */}
                <div
                  className="pal-i"
                  id={`${id}${at}`}
                  role="option"
                  tabIndex={-1}
                  aria-selected={at === index}
                  onPointerMove={() => setActive(entry.id)}
                  onClick={() => choose(entry)}
                >
                  {entry.icon}
                  <span className="cut">{entry.name}</span>
                  {entry.end && <span className="end">{entry.end}</span>}
                </div>
              </div>
            )
          })}
          {entries.length === 0 && <p className="pal-none">{say(t.palette.none, { text: text.trim() })}</p>}
        </div>
        {wanted !== '' && (
          <Searched
            search={search}
            none={entries.length === 1 && entries[0]?.id === 'search-jobs'}
            text={text.trim()}
          />
        )}
        <div className="pal-f hide-s" aria-hidden="true">
          <span>
            <kbd>↑</kbd> <kbd>↓</kbd> {t.palette.move}
          </span>
          <span>
            <kbd>Enter</kbd> {t.palette.choose}
          </span>
          <span>
            <kbd>Esc</kbd> {t.act.close}
          </span>
        </div>
      </Modal.Content>
    </Modal.Root>
  )
}

/** How far the search of all jobs has come. */
function Searched({ search, none, text }: { search: SearchOn; none: boolean; text: string }) {
  const { t, say } = useI18n()
  const at = search.reached.job
  if (!search.searching && !search.stopped) {
    return none && <p className="pal-s">{say(t.palette.none, { text })}</p>
  }
  const words = search.stopped
    ? at === undefined
      ? t.pager.none
      : say(t.palette.searchedTo, { at })
    : at === undefined
      ? t.palette.searching
      : say(t.palette.searchingTo, { at })
  return (
    <p className="pal-s">
      {search.searching && (
        <span className="st">
          <Icon name="s-run" className="run spin" />
        </span>
      )}
      <span className="cut">{words}</span>
      {search.stopped && (
        <Button small look="bare" onClick={search.goOn}>
          {t.pager.on}
        </Button>
      )}
    </p>
  )
}
