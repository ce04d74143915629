import { useRouterState } from '@tanstack/react-router'
import { useAbout, useOverview } from '../api/queries'
import { useI18n } from '../i18n'
import { Banner, Go, useService } from '../ui'

/** What every page has to say: problems of the store and the clock, and a service without executors. The
 * overview lists the latter itself. */
export function Banners() {
  const { t, sayNodes, f } = useI18n()
  const path = useRouterState({ select: (state) => state.location.pathname })
  const { data: about } = useAbout()
  const { data: overview } = useOverview(useService())
  const lonely =
    path === '/overview' ? undefined : overview?.attention.find((one) => one.kind === 'no_executor')
  return (
    <>
      {about?.problems.map((problem) => (
        <Banner
          key={problem}
          bad
          end={
            <Go className="link" to="/cluster">
              {t.banner.details}
            </Go>
          }
        >
          {problem}
        </Banner>
      ))}
      {lonely && (
        <Banner
          end={
            <Go
              className="link"
              to={`/tasks?state=queued${lonely.service ? `&service=${lonely.service}` : ''}`}
            >
              {t.banner.showWaiting}
            </Go>
          }
        >
          {sayNodes(
            t.banner.noExecutor,
            { service: <b>{lonely.service}</b>, n: f.n(lonely.count) },
            lonely.count,
          )}
        </Banner>
      )}
    </>
  )
}
