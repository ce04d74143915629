import type { cluster as en } from '../en/cluster'
import type { Words } from '../text'

export const cluster: Words<typeof en> = {
  title: '集群',
  one: '单个调度中心。多个调度中心共用一个 PostgreSQL 存储。',
  several: { other: '{n} 个调度中心' },
  columns: {
    address: '调度中心',
    state: '状态',
    partitions: '分区',
    lease: '租约剩余',
    clock: '时钟',
    since: '已运行',
    version: '版本',
  },
  answers: '当前',
  states: { alive: '正常', silent: '无心跳' },
  facts: {
    store: '存储',
    version: '版本',
    since: '启动时间',
    ready: '就绪',
    yes: '是',
    token: '令牌',
    needed: '需要',
    notNeeded: '本机访问不需要',
    logs: '完整日志',
    kept: '保存',
    notKept: '不保存',
  },
  stores: { sqlite: 'SQLite', postgres: 'PostgreSQL', postgresql: 'PostgreSQL' },
  problems: '异常',
}
