import {
  createRootRoute,
  createRoute,
  createRouter,
  lazyRouteComponent,
  redirect,
  retainSearchParams,
} from '@tanstack/react-router'
import { BASE } from './api/client'
import { compact, parseSearch, type RawSearch, str, stringifySearch } from './lib/search'
import { settings } from './lib/settings'
import { validateAlarms } from './pages/alarms/search'
import { validateEditor } from './pages/editor/search'
import { validateExecutor } from './pages/executor/search'
import { validateExecutors } from './pages/executors/search'
import { validateHandlers } from './pages/handlers/search'
import { validateJob } from './pages/job/search'
import { validateJobs } from './pages/jobs/search'
import { validateOverview } from './pages/overview/search'
import { validateTask } from './pages/task/search'
import { validateTasks } from './pages/tasks/search'
import { validateTimetable } from './pages/timetable/search'
import { NotFound } from './shell/NotFound'
import { PageError } from './shell/PageError'
import { Shell } from './shell/Shell'
import { PageSkeleton } from './ui'

const root = createRootRoute({
  component: Shell,
  notFoundComponent: NotFound,
  validateSearch: (raw: RawSearch) => compact({ service: str(raw.service) }),
  search: { middlewares: [retainSearchParams(['service'])] },
})
const at = () => root

const home = createRoute({
  getParentRoute: at,
  path: '/',
  beforeLoad: () => {
    throw redirect({
      to: settings.get().startPage === 'jobs' ? '/jobs' : '/overview',
      search: {},
      replace: true,
    })
  },
})
const overview = createRoute({
  getParentRoute: at,
  path: '/overview',
  validateSearch: validateOverview,
  component: lazyRouteComponent(() => import('./pages/overview/OverviewPage')),
})
const jobs = createRoute({
  getParentRoute: at,
  path: '/jobs',
  validateSearch: validateJobs,
  component: lazyRouteComponent(() => import('./pages/jobs/JobsPage')),
})
const newJob = createRoute({
  getParentRoute: at,
  path: '/jobs/new',
  validateSearch: validateEditor,
  component: lazyRouteComponent(() => import('./pages/editor/EditorPage')),
})
const job = createRoute({
  getParentRoute: at,
  path: '/jobs/$job',
  validateSearch: validateJob,
  component: lazyRouteComponent(() => import('./pages/job/JobPage')),
})
const editJob = createRoute({
  getParentRoute: at,
  path: '/jobs/$job/edit',
  validateSearch: validateEditor,
  component: lazyRouteComponent(() => import('./pages/editor/EditorPage')),
})
const tasks = createRoute({
  getParentRoute: at,
  path: '/tasks',
  validateSearch: validateTasks,
  component: lazyRouteComponent(() => import('./pages/tasks/TasksPage')),
})
const task = createRoute({
  getParentRoute: at,
  path: '/tasks/$task',
  validateSearch: validateTask,
  component: lazyRouteComponent(() => import('./pages/task/TaskPage')),
})
const executors = createRoute({
  getParentRoute: at,
  path: '/executors',
  validateSearch: validateExecutors,
  component: lazyRouteComponent(() => import('./pages/executors/ExecutorsPage')),
})
const executor = createRoute({
  getParentRoute: at,
  path: '/executors/$executor',
  validateSearch: validateExecutor,
  component: lazyRouteComponent(() => import('./pages/executor/ExecutorPage')),
})
const handlers = createRoute({
  getParentRoute: at,
  path: '/handlers',
  validateSearch: validateHandlers,
  component: lazyRouteComponent(() => import('./pages/handlers/HandlersPage')),
})
const alarms = createRoute({
  getParentRoute: at,
  path: '/alarms',
  validateSearch: validateAlarms,
  component: lazyRouteComponent(() => import('./pages/alarms/AlarmsPage')),
})
const cluster = createRoute({
  getParentRoute: at,
  path: '/cluster',
  component: lazyRouteComponent(() => import('./pages/cluster/ClusterPage')),
})
const timetable = createRoute({
  getParentRoute: at,
  path: '/timetable',
  validateSearch: validateTimetable,
  component: lazyRouteComponent(() => import('./pages/timetable/TimetablePage')),
})
const settingsPage = createRoute({
  getParentRoute: at,
  path: '/settings',
  component: lazyRouteComponent(() => import('./pages/settings/SettingsPage')),
})

export const router = createRouter({
  routeTree: root.addChildren([
    home,
    overview,
    jobs,
    newJob,
    job,
    editJob,
    tasks,
    task,
    executors,
    executor,
    handlers,
    alarms,
    cluster,
    timetable,
    settingsPage,
  ]),
  basepath: `${BASE}/console`,
  parseSearch,
  stringifySearch,
  defaultPreload: 'intent',
  defaultPendingComponent: PageSkeleton,
  defaultPendingMs: 150,
  defaultErrorComponent: PageError,
  scrollRestoration: true,
})

declare module '@tanstack/react-router' {
  interface Register {
    router: typeof router
  }
}
