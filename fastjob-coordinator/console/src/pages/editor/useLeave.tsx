import { useBlocker } from '@tanstack/react-router'
import { useRef } from 'react'
import { useI18n } from '../../i18n'
import { Button, Dialog } from '../../ui'

/** Asks before changes are lost: within the console by a dialog, else by the browser. */
export function useLeave(changed: boolean) {
  const allowed = useRef(false)
  const blocker = useBlocker({
    shouldBlockFn: ({ current, next }) => changed && !allowed.current && current.pathname !== next.pathname,
    enableBeforeUnload: () => changed && !allowed.current,
    withResolver: true,
  })
  return {
    /** The next navigation is not asked about: what was there is saved. */
    allow: () => {
      allowed.current = true
    },
    asking: blocker.status === 'blocked',
    stay: () => blocker.reset?.(),
    leave: () => blocker.proceed?.(),
  }
}

export function LeaveDialog({
  name,
  onStay,
  onLeave,
}: {
  /** The job; null if it is new. */
  name: string | null
  onStay: () => void
  onLeave: () => void
}) {
  const { t, say } = useI18n()
  const words = t.editor.leave
  return (
    <Dialog
      title={words.title}
      onClose={onStay}
      onSubmit={onStay}
      foot={
        <>
          <Button look="danger" onClick={onLeave}>
            {words.confirm}
          </Button>
          <Button type="submit" look="main" data-autofocus>
            {words.stay}
          </Button>
        </>
      }
    >
      <p>{name === null ? words.detailNew : say(words.detail, { job: name })}</p>
    </Dialog>
  )
}
