import { describe, expect, it } from 'vitest'
import { en } from './en'
import { fill } from './text'
import { waitsFor } from './waits'
import { zh } from './zh'

describe('what a task waits for', () => {
  it('is recognized part by part: the English text is what the coordinator writes', () => {
    for (const text of Object.values(en.waits)) {
      const message = fill(text, { a: '7', b: '8', why: 'its turn: task 41 runs' })
      expect(waitsFor(message, en)).toBe(message)
    }
  })

  it('is said in Chinese with its names and numbers', () => {
    const none = 'no executor of `ledger` with handler `close-ledger` is connected'
    expect(waitsFor(`waiting: ${none}; it fails in 1h 45m`, zh)).toBe(
      '服务 ledger 没有带有处理器 close-ledger 的执行器在线，1h 45m 后判为失败',
    )
    expect(waitsFor('its turn: task 7 runs, 2 wait before it', zh)).toBe('调度记录 7 运行结束，前面还有 2 个')
    expect(waitsFor('due 3m ago and not started: its turn: 4 of 4 run', zh)).toBe(
      '已逾期 3m，尚未开始：并发已满（4 个中运行 4 个）',
    )
  })

  it('stays in English if one of its parts is of a newer release', () => {
    expect(waitsFor('a better day', zh)).toBeNull()
    expect(waitsFor('waiting: a better day; it fails in 5m', zh)).toBeNull()
  })
})
