import type { ReactNode } from 'react'
import { createElement, Fragment } from 'react'

/** A text that depends on a number, `{n}`. Chinese needs only `other`. */
export interface Plural {
  one?: string
  other: string
}
export type Text = string | Plural
export type Values = Record<string, string | number>

/** The shape of a dictionary in any language: the same keys, other words. */
export type Words<T> = T extends string
  ? string
  : T extends { other: string }
    ? Plural
    : { [K in keyof T]: Words<T[K]> }

const PLACE = /\{(\w+)\}/g

export function choose(text: Text, n: number | undefined, language: string): string {
  if (typeof text === 'string') return text
  if (text.one === undefined || n === undefined) return text.other
  return new Intl.PluralRules(language).select(n) === 'one' ? text.one : text.other
}

/** Fills `{name}` with values. A missing value is left visible. */
export function fill(text: string, values: Values): string {
  return text.replace(PLACE, (place, name: string) => (name in values ? String(values[name]) : place))
}

/** Fills `{name}` with elements. */
export function fillNodes(text: string, values: Record<string, ReactNode>): ReactNode {
  return text.split(/(\{\w+\})/).map((part, index) => {
    const name = /^\{(\w+)\}$/.exec(part)?.[1]
    return createElement(Fragment, { key: index }, name && name in values ? values[name] : part)
  })
}

/** The names of the placeholders of a text. */
export function placesOf(text: Text): string[] {
  const all = typeof text === 'string' ? text : `${text.one ?? ''} ${text.other}`
  return [...new Set([...all.matchAll(PLACE)].map((match) => match[1] ?? ''))].sort()
}
