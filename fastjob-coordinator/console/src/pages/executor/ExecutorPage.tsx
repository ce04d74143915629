import { useI18n } from '../../i18n'
import { PageSkeleton } from '../../ui'

/** To be built. */
export default function ExecutorPage() {
  const { t } = useI18n()
  return <PageSkeleton title={t.executor.title} />
}
