import { useI18n } from '../../i18n'
import { PageSkeleton } from '../../ui'

export default function OverviewPage() {
  const { t } = useI18n()
  return <PageSkeleton title={t.overview.title} />
}
