import { Link, useNavigate, useRouter, useSearch } from '@tanstack/react-router'
import type { AnchorHTMLAttributes } from 'react'
import { BASE } from '../api/client'
import { parseSearch, type RawSearch, stringifySearch } from '../lib/search'

function split(to: string): { to: string; search: RawSearch } {
  const [path = '', query = ''] = to.split('?', 2)
  return { to: path, search: parseSearch(query) }
}

export interface GoProps extends Omit<AnchorHTMLAttributes<HTMLAnchorElement>, 'href'> {
  /** A path of the console, with its search: `/tasks?state=failed&job=a.b`. */
  to: string
  /** The link that `j`, `k` and Enter of a table use. */
  row?: boolean
}

/** A link within the console. The chosen service stays in the address. */
export function Go({ to, row, children, ...rest }: GoProps) {
  const target = split(to)
  return (
    <Link to={target.to} search={target.search as never} {...(row && { 'data-row': '' })} {...rest}>
      {children}
    </Link>
  )
}

/** The same for the rows of long tables. It does not look whether it leads to where the page is: links that do are most
 * of what a change of a filter costs. */
export function RowLink({ to, row, onClick, children, ...rest }: GoProps) {
  const router = useRouter()
  const service = useService()
  const target = split(to)
  const search = { ...target.search, ...(service && { service }) }
  const there = { to: target.to, search: search as never }
  return (
    <a
      {...rest}
      {...(row && { 'data-row': '' })}
      href={`${BASE}/console${target.to}${stringifySearch(search)}`}
      onPointerEnter={() => void router.preloadRoute(there).catch(() => {})}
      onClick={(event) => {
        onClick?.(event)
        const elsewhere = event.metaKey || event.ctrlKey || event.shiftKey || event.altKey
        if (event.defaultPrevented || event.button !== 0 || elsewhere) return
        event.preventDefault()
        void router.navigate(there)
      }}
    >
      {children}
    </a>
  )
}

/** Goes to a path of the console with its search. */
export function useGo(): (to: string, options?: { replace?: boolean }) => void {
  const navigate = useNavigate()
  return (to, options) => {
    const target = split(to)
    void navigate({ to: target.to, search: target.search as never, replace: options?.replace ?? false })
  }
}

/** Changes parameters of the present address; `undefined` removes one. */
export function usePatchSearch(): (patch: RawSearch, options?: { replace?: boolean }) => void {
  const navigate = useNavigate()
  return (patch, options) => {
    void navigate({
      to: '.',
      search: ((now: RawSearch) => ({ ...now, ...patch })) as never,
      replace: options?.replace ?? true,
    })
  }
}

/** The service chosen at the top, or undefined for all. */
export function useService(): string | undefined {
  const search: { service?: string } = useSearch({ strict: false })
  return search.service
}

/** The paths of things. */
export const paths = {
  job: (name: string, service?: string) =>
    `/jobs/${encodeURIComponent(service ? `${service}.${name}` : name)}`,
  task: (id: number) => `/tasks/${id}`,
  executor: (name: string, service?: string) =>
    `/executors/${encodeURIComponent(service ? `${service}.${name}` : name)}`,
}
