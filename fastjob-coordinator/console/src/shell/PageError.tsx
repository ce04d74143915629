import type { ErrorComponentProps } from '@tanstack/react-router'
import { useI18n } from '../i18n'
import { Button, ErrorCard } from '../ui'

/** A page that threw. The rest of the console stays. */
export function PageError({ error, reset }: ErrorComponentProps) {
  const { t } = useI18n()
  return (
    <div className="sec">
      <h1 className="sr">{t.problem.page}</h1>
      <ErrorCard
        error={error}
        retry={reset}
        actions={<Button onClick={() => location.reload()}>{t.problem.reload}</Button>}
      >
        <p>{t.problem.pageDetail}</p>
      </ErrorCard>
    </div>
  )
}
