import type { strategies as en } from '../en/strategies'
import type { Words } from '../text'

export const strategies: Words<typeof en> = {
  kind: {
    cron: { label: 'Cron', hint: '按日历时间' },
    fixed_rate: { label: '固定速度', hint: '每隔一段时间' },
    fixed_delay: { label: '固定延迟', hint: '上次结束之后' },
    once: { label: '一次', hint: '在某一时刻' },
    parent: { label: '父任务触发', hint: '另一任务结束时' },
    none: { label: '手动', hint: '或由 API 触发' },
  },
  misfire: {
    skip: { label: '忽略', hint: '错过的触发不再执行。' },
    fire_once: { label: '立即补偿一次', hint: '调度中心停机期间错过的触发合并为一次执行。' },
    fire_all: { label: '全部补偿', hint: '在下列限度内逐个补偿错过的触发。' },
  },
  route: {
    round_robin: { label: '轮询', hint: '各执行器依次执行。' },
    random: { label: '随机', hint: '每个执行器概率相同。' },
    consistent_hash: { label: '一致性HASH', hint: '执行器增减时，此任务仍固定在同一执行器。' },
    least_scheduled: { label: '最少调度', hint: '执行此任务次数最少的执行器。' },
    least_recently_used: { label: '最近最久未使用', hint: '最久没有执行此任务的执行器。' },
    failover: { label: '故障转移', hint: '固定在一个执行器，失联或占满时转到下一个。' },
    idle_first: { label: '空闲优先', hint: '当前执行数最少的执行器。' },
    response_first: { label: '响应性能优先', hint: '预计响应最快的执行器。' },
    cpu_first: { label: 'CPU优先', hint: 'CPU 负载最低的执行器。' },
    memory_first: { label: '内存优先', hint: '空闲内存最多的执行器。' },
    first: { label: '第一个', hint: '按名称排序的第一个执行器。' },
    last: { label: '最后一个', hint: '按名称排序的最后一个执行器。' },
    specific: { label: '特定', hint: '只用此执行器，重试也不例外。' },
  },
  shard: {
    one: { label: '不分片', hint: '一个执行器执行整个任务。' },
    all: { label: '分片广播', hint: '拥有此处理器的每个执行器各执行一个分片。' },
    dynamic: { label: '动态分片', hint: '标签与指标符合条件的每个执行器各执行一个分片。' },
    count: { label: '固定分片数', hint: '固定数量的分片，分布到各执行器。' },
  },
  block: {
    serial: { label: '单机串行', hint: '等当前一次结束后再执行下一次。' },
    skip_new: { label: '丢弃后续调度', hint: '执行期间到来的调度被跳过。' },
    replace_running: { label: '覆盖之前调度', hint: '先终止正在执行的，再执行新的。' },
    parallel: { label: '并行', hint: '多次执行同时进行。' },
  },
  scope: {
    executor: { label: '每个执行器内', hint: '各执行器各自计算。' },
    cluster: { label: '所有执行器', hint: '服务的全部执行器共同计算。' },
  },
  end: {
    success: { label: '成功时', hint: '执行成功。' },
    failure: { label: '失败时', hint: '最后一次重试后仍失败。' },
    always: { label: '总是', hint: '成功、失败或被终止。' },
  },
}
