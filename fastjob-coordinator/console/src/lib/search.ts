/** Parameters of addresses: plain `a=1&b=x&b=y`, checked by each route. What is not valid is left out. */
export type RawSearch = Record<string, unknown>

export function parseSearch(text: string): RawSearch {
  const search: Record<string, string | string[]> = {}
  for (const [key, value] of new URLSearchParams(text)) {
    const now = search[key]
    search[key] = now === undefined ? value : [...(Array.isArray(now) ? now : [now]), value]
  }
  return search
}

export function stringifySearch(search: RawSearch): string {
  const params = new URLSearchParams()
  for (const [key, value] of Object.entries(search)) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== undefined && one !== null && one !== '' && one !== false) params.append(key, String(one))
    }
  }
  const text = params.toString()
  return text ? `?${text}` : ''
}

const first = (value: unknown) => (Array.isArray(value) ? (value[0] as unknown) : value)

/** A text that is not empty. */
export function str(value: unknown): string | undefined {
  const one = first(value)
  return typeof one === 'string' && one !== '' ? one : typeof one === 'number' ? String(one) : undefined
}
/** Several texts; also one with commas. */
export function list(value: unknown): string[] | undefined {
  const all = (Array.isArray(value) ? (value as unknown[]) : [value]).flatMap((one) =>
    typeof one === 'string' ? one.split(',').filter(Boolean) : [],
  )
  return all.length > 0 ? [...new Set(all)] : undefined
}
export function num(value: unknown): number | undefined {
  const text = str(value)
  return text !== undefined && /^\d{1,16}$/.test(text) ? Number(text) : undefined
}
export function flag(value: unknown): true | undefined {
  const one = first(value)
  return one === true || one === 'true' || one === '1' ? true : undefined
}
export function oneOf<const Value extends string>(
  value: unknown,
  values: readonly Value[],
): Value | undefined {
  const text = str(value)
  return values.find((one) => one === text)
}
/** Leaves out what is undefined, so that addresses stay short and every parameter is optional. */
export function compact<T extends object>(search: T): { [Key in keyof T]?: Exclude<T[Key], undefined> } {
  return Object.fromEntries(Object.entries(search).filter(([, value]) => value !== undefined)) as {
    [Key in keyof T]?: Exclude<T[Key], undefined>
  }
}
