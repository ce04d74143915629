import { describe, expect, it } from 'vitest'
import { en } from './en'
import { kindWords, recognize, translated } from './server'
import { fill } from './text'
import { zh } from './zh'

describe('messages of the coordinator', () => {
  it('are recognized with their parameters: the English text is what the coordinator writes', () => {
    const values = { a: '7', b: '8', c: '9' }
    for (const [says, text] of Object.entries(en.server.says)) {
      const message = fill(text as string, values)
      const found = recognize(message)
      expect(found?.says, message).toBe(says)
      expect(fill(text as string, found?.values ?? {})).toBe(message)
    }
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
