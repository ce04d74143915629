import { useI18n } from '../../i18n'
import { PageSkeleton } from '../../ui'

export default function SettingsPage() {
  const { t } = useI18n()
  return <PageSkeleton title={t.settings.title} />
}
