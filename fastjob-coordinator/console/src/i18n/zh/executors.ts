import type { executors as en } from '../en/executors'
import type { Words } from '../text'

export const executors: Words<typeof en> = {
  title: '执行器',
  summary: '{up} 个在线 · 已用 {used} / {capacity} 个位置',
  lost: { other: '{n} 个失联' },
  connect: '接入执行器',
  search: '名称、地址、标签、处理器',
  searchLabel: '筛选执行器',
  group: '{up} 个在线 · 已用 {used} / {capacity}',
  noneUp: '没有在线的执行器',
  columns: {
    name: '执行器',
    state: '状态',
    address: '机器地址',
    seen: '最近心跳',
    places: '位置',
    cpu: 'CPU',
    memory: '空闲内存',
    labels: '版本、标签',
  },
  waiting: { other: '{n} 个在其队列中等待' },
  empty: {
    title: '没有连接的执行器',
    detail: '执行器是您自己的、带有处理器的进程。连接由它发起，无需开放端口。',
  },
  count: { other: '{n} 个执行器' },
  countOf: '{of} 个执行器中的 {n} 个',
  noMatch: '没有匹配的执行器',
  how: {
    title: '接入执行器',
    detail: '在服务中加入依赖并运行执行器。调度中心地址：{address}。',
    token: '调度中心需要令牌：执行器也要设置 FASTJOB_TOKEN。',
  },
}
