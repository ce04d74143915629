import type { executor as en } from '../en/executor'
import type { Words } from '../text'

export const executor: Words<typeof en> = {
  title: '执行器',
  drain: '排空',
  resume: '恢复接收',
  drainTitle: '排空 {executor}？',
  drainDetail: '不再下发新的尝试，运行中的继续。重启后仍然有效，直到恢复接收。',
  drained: '{executor} 不再接收新工作',
  resumed: '{executor} 已恢复接收',
  facts: {
    service: '服务',
    address: '机器地址',
    since: '连接时间',
    seen: '最近心跳',
    lost: '失联时间',
    lostAttempts: { other: '当时有 {n} 次尝试' },
    places: '已用位置',
    waiting: '队列中等待',
    cpu: 'CPU',
    memory: '空闲内存',
    version: '版本',
    labels: '标签',
  },
  running: '正在运行',
  idle: '目前没有运行任何内容。',
  lately: '最近',
  nothing: '最近几小时没有运行。',
  handlers: '处理器',
  noHandlers: '没有处理器。',
  tasks: '全部调度记录',
}
