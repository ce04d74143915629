import { useQueryClient } from '@tanstack/react-query'
import { type ReactNode, useEffect, useState } from 'react'
import { whenSignedOut } from '../api/client'
import { startLive } from '../api/live'
import { useSession } from '../api/queries'
import { Login } from './Login'

/** Shows the page, or the sign-in if a token is needed. On loopback without a token there is none. */
export function Gate({ children }: { children: ReactNode }) {
  const client = useQueryClient()
  const { data } = useSession()
  const [rejected, setRejected] = useState(false)
  useEffect(() => whenSignedOut(() => setRejected(true)), [])
  const locked = rejected || (data?.needed === true && !data.signed_in)
  const open = data !== undefined && !locked
  useEffect(() => (open ? startLive() : undefined), [open])
  if (!data) return null
  if (locked) {
    return (
      <Login
        onDone={() => {
          setRejected(false)
          void client.resetQueries()
        }}
      />
    )
  }
  return children
}
