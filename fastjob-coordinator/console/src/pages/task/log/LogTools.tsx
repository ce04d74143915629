/** The toolbar of a log: search, levels, how lines are shown, download, follow. */
import type { KeyboardEvent, ReactNode } from 'react'
import { useI18n } from '../../../i18n'
import { Button, Icon, Menu, type MenuEntry } from '../../../ui'
import type { LevelFilter } from './lines'

export interface LogOptions {
  query: string
  regex: boolean
  only: boolean
  level: LevelFilter
  wrap: boolean
  relative: boolean
}

interface Props {
  /** Which shard and attempt: in front. */
  children: ReactNode
  options: LogOptions
  onChange: (change: Partial<LogOptions>) => void
  matches: number
  /** The current match, from 0; -1 before the first. */
  match: number
  invalid: string | null
  onMatch: (by: number) => void
  full: boolean
  onFull: () => void
  follow: boolean
  canFollow: boolean
  onFollow: () => void
  onDownload: () => void
  onDownloadShown: () => void
  filtered: boolean
}

const LEVELS: LevelFilter[] = ['all', 'info', 'warn', 'error']

export function LogTools(props: Props) {
  const { t, say } = useI18n()
  const words = t.task.log
  const { options, onChange, matches, match, invalid, onMatch } = props
  const levels: MenuEntry[] = LEVELS.map((level) => ({
    label: words.level[level],
    checked: options.level === level,
    onSelect: () => onChange({ level }),
  }))
  const shown: MenuEntry[] = [
    { label: words.regex, checked: options.regex, onSelect: () => onChange({ regex: !options.regex }) },
    { label: words.onlyMatches, checked: options.only, onSelect: () => onChange({ only: !options.only }) },
    null,
    { label: words.wrap, checked: options.wrap, onSelect: () => onChange({ wrap: !options.wrap }) },
    {
      label: words.times,
      checked: options.relative,
      onSelect: () => onChange({ relative: !options.relative }),
    },
    null,
    { label: words.download, icon: 'dl', onSelect: props.onDownload },
    { label: words.downloadShown, icon: 'dl', onSelect: props.onDownloadShown, disabled: !props.filtered },
  ]
  const key = (event: KeyboardEvent) => {
    if (event.key === 'Enter') {
      event.preventDefault()
      onMatch(event.shiftKey ? -1 : 1)
    } else if (event.key === 'Escape') {
      event.preventDefault()
      event.stopPropagation()
      if (options.query === '') (event.target as HTMLElement).blur()
      else onChange({ query: '' })
    }
  }
  const count =
    options.query === '' || invalid
      ? null
      : matches === 0
        ? words.noMatch
        : say(words.matches, { n: Math.max(1, match + 1), of: matches })
  return (
    <div className="log-t">
      {props.children}
      <div className="search grow">
        <Icon name="search" />
        <input
          value={options.query}
          aria-label={words.search}
          placeholder={words.search}
          aria-invalid={invalid ? true : undefined}
          onChange={(event) => onChange({ query: event.target.value })}
          onKeyDown={key}
          spellCheck={false}
        />
        {invalid && (
          <span className="small bad cut" role="alert">
            {say(words.invalid, { why: invalid })}
          </span>
        )}
        {count && (
          <>
            <span className="small nw" role="status">
              {count}
            </span>
            <Button
              look="bare"
              small
              icon="up"
              label={words.previous}
              disabled={matches === 0}
              onClick={() => onMatch(-1)}
            />
            <Button
              look="bare"
              small
              icon="down"
              label={words.next}
              disabled={matches === 0}
              onClick={() => onMatch(1)}
            />
          </>
        )}
      </div>
      <Menu entries={levels} label={words.levels}>
        <Button look="bare" small iconEnd="down" className="hide-s">
          {words.level[options.level]}
        </Button>
      </Menu>
      <Button
        look="bare"
        small
        icon="wrap"
        label={words.wrap}
        className="hide-s"
        aria-pressed={options.wrap}
        onClick={() => onChange({ wrap: !options.wrap })}
      />
      <Button look="bare" small icon="dl" label={words.download} onClick={props.onDownload} />
      <Button
        look="bare"
        small
        icon={props.full ? 'x' : 'full'}
        label={props.full ? words.exitFull : words.full}
        aria-pressed={props.full}
        onClick={props.onFull}
      />
      <Menu entries={shown} label={t.act.more}>
        <Button look="bare" small icon="more" label={t.act.more} />
      </Menu>
      {props.canFollow && (
        <Button small icon="follow" aria-pressed={props.follow} onClick={props.onFollow}>
          {words.follow}
        </Button>
      )}
    </div>
  )
}
