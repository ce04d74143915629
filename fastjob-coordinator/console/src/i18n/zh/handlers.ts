import type { handlers as en } from '../en/handlers'
import type { Words } from '../text'

export const handlers: Words<typeof en> = {
  title: '处理器',
  sub: '任务可以调用的 JobHandler，按服务分组',
  search: '名称、描述',
  searchLabel: '筛选处理器',
  columns: { name: 'JobHandler', executors: '执行器', jobs: '任务', param: '任务参数' },
  schema: '参数结构',
  noSchema: '任意',
  noExecutor: '无执行器',
  newJob: '用它新增任务',
  showSchema: '{handler} 的参数结构',
  and: { other: '+{n}' },
  empty: { title: '还没有处理器', detail: '执行器连接后，处理器会显示在这里。' },
  count: { other: '{n} 个处理器' },
  countOf: '{of} 个处理器中的 {n} 个',
  noMatch: '没有匹配的处理器',
}
