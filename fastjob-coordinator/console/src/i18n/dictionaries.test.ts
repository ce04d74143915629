import { describe, expect, it } from 'vitest'
import { en } from './en'
import { choose, fill, placesOf, type Text } from './text'
import { zh } from './zh'

function leaves(value: unknown, path = ''): [string, Text][] {
  if (typeof value === 'string') return [[path, value]]
  const object = value as Record<string, unknown>
  if (typeof object.other === 'string') return [[path, object as unknown as Text]]
  return Object.entries(object).flatMap(([key, one]) => leaves(one, path ? `${path}.${key}` : key))
}

const words = (text: Text) => (typeof text === 'string' ? text : `${text.one ?? ''}${text.other}`)

describe('dictionaries', () => {
  const chinese = new Map(leaves(zh))
  it.each(leaves(en))('%s has the same places in Chinese', (path, text) => {
    const other = chinese.get(path)
    expect(other).toBeDefined()
    expect(placesOf(other as Text)).toEqual(placesOf(text))
  })
  it('has no keys that English does not have', () => {
    expect([...chinese.keys()].sort()).toEqual(
      leaves(en)
        .map(([path]) => path)
        .sort(),
    )
  })
  it('never mixes 停止 and 终止', () => {
    for (const [path, text] of chinese) {
      expect(/停止/.test(words(text)) && /终止/.test(words(text)), path).toBe(false)
    }
    expect(zh.act.disable).toBe('停止')
    expect(zh.act.stop).toBe('终止')
  })
  it('has no empty texts', () => {
    for (const [path, text] of [...leaves(en), ...chinese]) expect(words(text), path).not.toBe('')
  })
})

describe('texts', () => {
  it('choose a plural', () => {
    const text = { one: '{n} job', other: '{n} jobs' }
    expect(choose(text, 1, 'en')).toBe('{n} job')
    expect(choose(text, 0, 'en')).toBe('{n} jobs')
    expect(choose({ other: '{n} 个' }, 1, 'zh-CN')).toBe('{n} 个')
  })
  it('leave a missing value visible', () => expect(fill('{a} and {b}', { a: 1 })).toBe('1 and {b}'))
})
