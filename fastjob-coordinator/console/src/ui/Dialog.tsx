import { Modal } from '@mantine/core'
import { type FormEvent, type ReactNode, useState } from 'react'
import { useI18n } from '../i18n'
import { Button } from './Button'
import { cx } from './cx'
import { useReturnFocus } from './focus'
import { ProblemNote } from './Problem'

/** A dialog. Focus stays inside, Escape closes it, and the focus returns to where it was. */
export function Dialog({
  title,
  onClose,
  children,
  foot,
  wide,
  onSubmit,
}: {
  title: ReactNode
  onClose: () => void
  children: ReactNode
  /** The buttons, the main one last. */
  foot?: ReactNode
  wide?: boolean
  onSubmit?: () => void
}) {
  useReturnFocus()
  const inside = (
    <>
      <Modal.Title>{title}</Modal.Title>
      <div className="p">{children}</div>
      {foot && <div className="foot">{foot}</div>}
    </>
  )
  return (
    <Modal.Root
      opened
      onClose={onClose}
      returnFocus={false}
      unstyled
      lockScroll={false}
      transitionProps={{ duration: 0 }}
      classNames={{ inner: 'over-l', content: cx('dlg', wide && 'wide') ?? 'dlg', overlay: 'veil' }}
    >
      <Modal.Overlay />
      <Modal.Content>
        {onSubmit ? (
          <form
            noValidate
            onSubmit={(event: FormEvent) => {
              event.preventDefault()
              onSubmit()
            }}
            onKeyDown={(event) => {
              // From any field, also one of several lines.
              if (event.key !== 'Enter' || !(event.ctrlKey || event.metaKey)) return
              event.preventDefault()
              onSubmit()
            }}
          >
            {inside}
          </form>
        ) : (
          inside
        )}
      </Modal.Content>
    </Modal.Root>
  )
}

/** Asks before something that stops, deletes or hits many. The title names the thing; the button says the verb.
 * An error of the coordinator is shown in place. */
export function Confirm({
  title,
  children,
  verb,
  danger,
  onConfirm,
  onClose,
}: {
  title: ReactNode
  children?: ReactNode
  verb: string
  danger?: boolean
  onConfirm: () => Promise<unknown>
  onClose: () => void
}) {
  const { t } = useI18n()
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState<unknown>(null)
  const run = async () => {
    setBusy(true)
    setError(null)
    try {
      await onConfirm()
      onClose()
    } catch (failed) {
      setError(failed)
      setBusy(false)
    }
  }
  return (
    <Dialog
      title={title}
      onClose={onClose}
      onSubmit={run}
      foot={
        <>
          <Button onClick={onClose}>{t.act.cancel}</Button>
          <Button type="submit" look={danger ? 'danger' : 'main'} busy={busy} data-autofocus>
            {verb}
          </Button>
        </>
      }
    >
      {children}
      {error !== null && <ProblemNote error={error} />}
    </Dialog>
  )
}
