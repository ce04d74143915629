import { describe, expect, it } from 'vitest'
import { eventParser, type ServerEvent } from './sse'

describe('event streams', () => {
  it('are read however they are cut', () => {
    const text = ': hello\n\nevent: counts\ndata: {"a":1}\n\nretry: 2000\n\ndata: one\ndata: two\r\n\r\n'
    for (const size of [1, 3, 7, text.length]) {
      const events: ServerEvent[] = []
      const parse = eventParser((event) => events.push(event))
      for (let at = 0; at < text.length; at += size) parse(text.slice(at, at + size))
      expect(events).toEqual([
        { event: 'counts', data: '{"a":1}' },
        { event: 'message', data: 'one\ntwo' },
      ])
    }
  })
})
