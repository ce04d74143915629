import { useQueryClient } from '@tanstack/react-query'
import { type ReactNode, useEffect, useState } from 'react'
import { session, whenSignedOut } from '../api/client'
import { startLive } from '../api/live'
import { useSession } from '../api/queries'
import type { SessionView } from '../api/types'
import { Login } from './Login'

const RENEW = 10 * 60_000

/** Shows the page, or the sign-in if a token is needed. On loopback without a token there is none. */
export function Gate({ children }: { children: ReactNode }) {
  const client = useQueryClient()
  const { data } = useSession()
  const [rejected, setRejected] = useState(false)
  useEffect(() => whenSignedOut(() => setRejected(true)), [])
  const locked = rejected || (data?.needed === true && !data.signed_in)
  const open = data !== undefined && !locked
  useEffect(() => (open ? startLive() : undefined), [open])
  const renews = open && data?.needed === true
  useEffect(() => {
    if (!renews) return
    // The coordinator prolongs a session when it is asked about it.
    const timer = setInterval(() => {
      if (!document.hidden) void session.read()
    }, RENEW)
    return () => clearInterval(timer)
  }, [renews])
  if (!data) return null
  const login = (
    <Login
      onDone={() => {
        setRejected(false)
        client.setQueryData<SessionView>(['session'], { needed: true, signed_in: true })
        void client.invalidateQueries({ predicate: ({ queryKey }) => queryKey[0] !== 'session' })
      }}
    />
  )
  if (data.needed && !data.signed_in) return login
  // A session that ends in the middle does not take with it what somebody has typed.
  return (
    <>
      {rejected && login}
      <div style={{ display: rejected ? 'none' : 'contents' }}>{children}</div>
    </>
  )
}
