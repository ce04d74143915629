/** A search text of `key:value` tokens and free words. The URL holds the same as typed parameters. */
export interface Token {
  key: string
  value: string
}

const WORD = /(?:(\w+):)?(?:"([^"]*)"|(\S+))/g

/** Splits `state:failed job:"a b" words` into tokens of known keys and the rest. */
export function parseTokens(text: string, keys: readonly string[]): { tokens: Token[]; rest: string } {
  const tokens: Token[] = []
  const rest: string[] = []
  for (const match of text.matchAll(WORD)) {
    const [whole, key, quoted, plain] = match
    const value = quoted ?? plain ?? ''
    if (key !== undefined && keys.includes(key) && value !== '') tokens.push({ key, value })
    else rest.push(whole)
  }
  return { tokens, rest: rest.join(' ') }
}

export function formatTokens(tokens: readonly Token[], rest = ''): string {
  const words = tokens.map(({ key, value }) => `${key}:${/\s/.test(value) ? `"${value}"` : value}`)
  return [...words, rest].filter(Boolean).join(' ')
}

/** URL parameters as tokens: lists become several tokens of one key. */
export function tokensOf(search: Record<string, unknown>, keys: readonly string[]): Token[] {
  return keys.flatMap((key) => {
    const value = search[key]
    if (value === undefined || value === null || value === '') return []
    return (Array.isArray(value) ? value : [value]).map((one) => ({ key, value: String(one) }))
  })
}

/** Tokens as URL parameters. Keys in `lists` may have several values; of others the last one counts. */
export function searchOf(
  tokens: readonly Token[],
  lists: readonly string[] = [],
): Record<string, string | string[]> {
  const search: Record<string, string | string[]> = {}
  for (const { key, value } of tokens) {
    const now = search[key]
    if (lists.includes(key)) search[key] = [...new Set([...(Array.isArray(now) ? now : []), value])]
    else search[key] = value
  }
  return search
}
