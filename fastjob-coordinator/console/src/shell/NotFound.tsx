import { useI18n } from '../i18n'
import { Empty, Go } from '../ui'

export function NotFound() {
  const { t } = useI18n()
  return (
    <>
      <h1 className="sr">{t.notFound.title}</h1>
      <Empty
        icon="search"
        title={t.notFound.title}
        actions={
          <Go className="btn" to="/overview">
            {t.notFound.home}
          </Go>
        }
      >
        {t.notFound.detail}
      </Empty>
    </>
  )
}
