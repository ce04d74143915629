import { useI18n } from '../../i18n'
import { PageSkeleton } from '../../ui'

/** To be built. */
export default function TimetablePage() {
  const { t } = useI18n()
  return <PageSkeleton title={t.timetable.title} />
}
