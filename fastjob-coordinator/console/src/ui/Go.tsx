import { Link, useNavigate, useSearch } from '@tanstack/react-router'
import type { AnchorHTMLAttributes } from 'react'
import { parseSearch, type RawSearch } from '../lib/search'

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
