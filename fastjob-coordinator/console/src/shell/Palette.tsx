import { Modal } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { type KeyboardEvent, type ReactNode, useEffect, useId, useMemo, useState } from 'react'
import { get } from '../api/client'
import { useExecutors } from '../api/queries'
import type { ExecutorView, JobView, Page } from '../api/types'
import { useI18n } from '../i18n'
import { Icon, type IconName, paths, Status, StatusIcon, useGo } from '../ui'
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

/** Whether all words are found, in any order. Better the more of them begin the name. */
function score(text: string, words: readonly string[]): number {
  const where = text.toLowerCase()
  let sum = 0
  for (const word of words) {
    const at = where.indexOf(word)
    if (at < 0) return -1
    sum += at === 0 ? 3 : /[\W_]/.test(where[at - 1] ?? '') ? 2 : 1
  }
  return sum
}

function useJobsForPalette(text: string) {
  const all = useQuery({
    queryKey: ['palette', 'jobs'],
    queryFn: ({ signal }) => get<Page<JobView>>('/jobs', { limit: 500, ends: 1 }, signal),
    staleTime: 30_000,
  })
  // More than 500 jobs: the coordinator searches.
  const found = useQuery({
    queryKey: ['palette', 'jobs', text],
    queryFn: ({ signal }) => get<Page<JobView>>('/jobs', { limit: 20, ends: 1, text }, signal),
    enabled: Boolean(all.data?.next_cursor) && text.length > 1,
    retry: false,
  })
  return useMemo(() => {
    const jobs = [...(all.data?.items ?? []), ...(found.data?.items ?? [])]
    return [...new Map(jobs.map((job) => [job.id, job])).values()]
  }, [all.data, found.data])
}

/** Finds jobs, tasks by number, executors, actions and pages, in both languages. Things first, then what can be
 * done with the chosen one, then places. */
export function Palette({ onClose }: { onClose: () => void }) {
  useReturnFocus()
  const { t, f, say } = useI18n()
  const go = useGo()
  const id = useId()
  const [text, setText] = useState('')
  const [active, setActive] = useState(0)
  const wanted = text.trim().toLowerCase()
  const jobs = useJobsForPalette(wanted)
  const executors = useExecutors()

  const entries = useMemo(() => {
    const words = wanted.split(/\s+/).filter(Boolean)
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
    const found =
      wanted === ''
        ? []
        : best(
            jobs,
            (job: JobView) => `${job.name} ${job.service} ${job.description ?? ''} ${job.handler ?? ''}`,
            6,
          )
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
  }, [wanted, jobs, executors.data, t, f, say, go])

  // biome-ignore lint/correctness/useExhaustiveDependencies: another text begins at the first entry.
  useEffect(() => setActive(0), [wanted])
  const index = Math.min(active, entries.length - 1)
  const choose = (entry: Entry | undefined) => {
    if (!entry) return
    onClose()
    entry.run()
  }
  const key = (event: KeyboardEvent) => {
    if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      event.preventDefault()
      const by = event.key === 'ArrowDown' ? 1 : -1
      if (entries.length > 0) setActive((index + by + entries.length) % entries.length)
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
                  onPointerMove={() => setActive(at)}
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
