import { createContext, type ReactNode, useContext, useEffect, useMemo, useState } from 'react'
import { type Language, useSettings } from '../lib/settings'
import { type Dictionary, en } from './en'
import { type Format, formatter } from './format'
import { choose, fill, fillNodes, type Text, type Values } from './text'

export type { Dictionary } from './en'

export interface I18n {
  /** The words: `t.jobs.title`. */
  t: Dictionary
  /** Numbers, times, durations. */
  f: Format
  /** Fills a text: `say(t.jobs.count, { n: 3 })`. Numbers are grouped, and `n` chooses the plural. */
  say: (text: Text, values?: Values) => string
  /** The same with elements in the places. */
  sayNodes: (text: Text, values: Record<string, ReactNode>, n?: number) => ReactNode
  language: Language
}

const dictionaries: Partial<Record<Language, Dictionary>> = { en }

/** Loads the words of a language, once. */
export async function loadLanguage(language: Language): Promise<Dictionary> {
  const there = dictionaries[language]
  if (there) return there
  const { zh } = await import('./zh')
  dictionaries.zh = zh
  return zh
}

function build(t: Dictionary, language: Language, f: Format): I18n {
  const locale = language === 'zh' ? 'zh-CN' : 'en'
  return {
    t,
    f,
    language,
    say(text, values = {}) {
      const n = typeof values.n === 'number' ? values.n : undefined
      const shown: Values = {}
      for (const [name, value] of Object.entries(values))
        shown[name] = typeof value === 'number' ? f.n(value) : value
      return fill(choose(text, n, locale), shown)
    },
    sayNodes: (text, values, n) => fillNodes(choose(text, n, locale), values),
  }
}

const Context = createContext<I18n>(build(en, 'en', formatter('en', 'browser')))

export function I18nProvider({ children }: { children: ReactNode }) {
  const { language, zone } = useSettings()
  const [loaded, setLoaded] = useState<Language>(dictionaries[language] ? language : 'en')
  useEffect(() => {
    let current = true
    void loadLanguage(language).then(() => current && setLoaded(language))
    return () => {
      current = false
    }
  }, [language])
  const value = useMemo(
    () => build(dictionaries[loaded] ?? en, loaded, formatter(loaded, zone)),
    [loaded, zone],
  )
  return <Context value={value}>{children}</Context>
}

export const useI18n = () => useContext(Context)
