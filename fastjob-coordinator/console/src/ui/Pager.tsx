import type { ReactNode } from 'react'
import type { SearchOn } from '../api/searchOn'
import { useI18n } from '../i18n'
import { Button } from './Button'
import { Icon, type IconName } from './Icon'
import { ProblemNote } from './Problem'
import { Empty } from './parts'

interface PagedList {
  hasNextPage: boolean
  isFetchingNextPage: boolean
  isFetchNextPageError: boolean
  error: unknown
  fetchNextPage: () => Promise<unknown>
}

/** Below a list: how many there are, and the next page. A list that is searched says how far the search has come. */
export function Pager({
  list,
  search,
  n = 0,
  children,
}: {
  list: PagedList
  /** The search of the list, if it continues by itself. */
  search?: SearchOn
  /** How many rows are found. */
  n?: number
  /** The words if it does not search. */
  children?: ReactNode
}) {
  const { t } = useI18n()
  const next = search?.goOn ?? (() => void list.fetchNextPage())
  return (
    <>
      {list.isFetchNextPageError && n > 0 && <ProblemNote error={list.error} retry={next} />}
      <div className="pager">
        {search?.searching && (
          <span className="st">
            <Icon name="s-run" className="run spin" />
          </span>
        )}
        {search?.searching || search?.stopped ? <Searched search={search} n={n} /> : children}
        {list.hasNextPage && !search?.searching && (
          <span className="end">
            <Button small busy={list.isFetchingNextPage} onClick={next}>
              {search?.stopped ? t.pager.on : t.act.loadMore}
            </Button>
          </span>
        )}
      </div>
    </>
  )
}

/** Instead of a list whose search stopped at its bound without a row. */
export function NothingYet({ search, icon }: { search: SearchOn; icon: IconName }) {
  const { t } = useI18n()
  return (
    <Empty
      icon={icon}
      title={t.pager.none}
      actions={
        <Button look="main" onClick={search.goOn}>
          {t.pager.on}
        </Button>
      }
    >
      <Searched search={search} n={0} />
    </Empty>
  )
}

/** How far a search has come. A screen reader hears that it began and how it ended, not each step. */
function Searched({ search, n }: { search: SearchOn; n: number }) {
  const { t, f, say } = useI18n()
  const { at, job } = search.reached
  const to = at === undefined ? job : f.near(at)
  const words = search.searching
    ? to === undefined
      ? say(t.pager.searchingMore, { n })
      : say(t.pager.searching, { at: to, n })
    : to === undefined
      ? say(t.pager.searchedPart, { n })
      : say(t.pager.searched, { at: to, n })
  return (
    <span role={search.searching ? undefined : 'status'} className="cut">
      {words}
    </span>
  )
}
