import { describe, expect, it } from 'vitest'
import { en } from './en'
import { kindWords, messageIn, recognize, translated } from './server'
import { fill } from './text'
import { zh } from './zh'

describe('messages of the coordinator', () => {
  it('are recognized with their parameters: the English text is what the coordinator writes', () => {
    const values = { a: '7', b: '8', c: '9' }
    for (const text of Object.values(en.server.says) as string[]) {
      const message = fill(text, values)
      const found = recognize(message)
      expect(found?.textIn(en), message).toBe(text)
      expect(fill(text, found?.values ?? {})).toBe(message)
    }
  })

  it('about tasks are recognized, too, each as itself', () => {
    const values = {
      ...{ a: 'x-1', b: 'y-2', n: '3', m: '4', k: '2', for: '1m 30s', of: '250ms 5µs', state: 'failed' },
      ...{ at: '2026-11-30T05:00:00Z', to: '2026-11-30T06:00:00Z', why: 'its turn', also: 'missed' },
    }
    for (const text of Object.values(en.reasons) as string[]) {
      const message = fill(text, values)
      expect(message).not.toMatch(/\{\w+\}/)
      const found = recognize(message)
      expect(found?.textIn(en), message).toBe(text)
      expect(fill(text, found?.values ?? {})).toBe(message)
    }
  })

  it('have messages in them, which are translated, and times in the zone of the page', () => {
    const i18n = (language: 'en' | 'zh') => ({
      ...{ t: language === 'en' ? en : zh, language },
      f: { near: (at: string | number | Date) => `<${String(at)}>` },
    })
    const missing = 'no executor of `mail` with handler `send` is connected'
    expect(messageIn(`waiting: ${missing}; it fails in 4m 30s`, i18n('zh'))).toEqual({
      text: '服务 mail 没有在线的执行器提供处理器 send；4m 30s 后失败',
      original: `waiting: ${missing}; it fails in 4m 30s`,
    })
    expect(messageIn('its time: 2026-11-30T05:00:00Z', i18n('zh')).text).toBe(
      '触发时间 <2026-11-30T05:00:00Z>',
    )
    expect(messageIn('its time: 2026-11-30T05:00:00Z', i18n('en'))).toEqual({
      text: 'its time: <2026-11-30T05:00:00Z>',
    })
    expect(
      messageIn('due 5m ago and not started: its turn: task 7 runs, 1 waits before it', i18n('zh')).text,
    ).toBe('已到期 5m，尚未开始，等待：排队：调度记录 7 正在运行，前面还有 1 个')
    expect(messageIn('it has already ended: failed', i18n('zh')).text).toBe('它已经结束：失败')
    expect(messageIn('connection refused\nby a database', i18n('zh'))).toEqual({
      text: 'connection refused\nby a database',
    })
  })

  it('are said in Chinese with their parameters', () => {
    expect(translated('no job is named `billing.nope`', zh)).toBe('没有名为 billing.nope 的任务。')
    expect(translated('task 41 has no attempt 3', zh)).toBe('调度记录 41 没有第 3 次尝试。')
    expect(translated('a message of a newer release', zh)).toBeNull()
  })

  it('have a title for each kind', () => {
    expect(kindWords('store-failed', zh)?.title).toBe('存储故障')
    expect(kindWords('of-a-newer-release', zh)).toBeUndefined()
  })
})
