import type { ReactNode } from 'react'
import { useI18n } from '../i18n'
import { Button } from './Button'

/** Below a list: how many there are, and the next page. */
export function Pager({
  list,
  more,
  children,
}: {
  list: { hasNextPage: boolean; isFetchingNextPage: boolean; fetchNextPage: () => Promise<unknown> }
  /** The words of the button, if not "Load more". */
  more?: string | undefined
  children?: ReactNode
}) {
  const { t } = useI18n()
  return (
    <div className="pager">
      {children}
      {list.hasNextPage && (
        <span className="end">
          <Button small busy={list.isFetchingNextPage} onClick={() => void list.fetchNextPage()}>
            {more ?? t.act.loadMore}
          </Button>
        </span>
      )}
    </div>
  )
}
