import { createContext, useContext } from 'react'
import type { Form } from './model/form'

/** What every field of the form needs. */
export interface Editor {
  form: Form
  set: (patch: Partial<Form>) => void
  /** What is wrong with a field, once it was left or a save was tried. */
  problem: (field: string) => string | undefined
  /** Problems of a field and of everything in it: `children`, `children[0].job`. */
  problemsIn: (field: string) => { field: string; message: string }[]
  /** The field was left, or chosen. */
  touch: (field: string) => void
  isNew: boolean
}

export const EditorContext = createContext<Editor | null>(null)

export function useEditor(): Editor {
  const editor = useContext(EditorContext)
  if (!editor) throw new Error('a field outside of the editor')
  return editor
}

/** The id of the control of a field. */
export const idOf = (field: string): string => `f-${field.replace(/[^A-Za-z0-9_-]+/g, '-')}`

/** The control of a field, or of the one that it is in. */
export function controlOf(field: string): HTMLElement | null {
  for (let path = field; path !== ''; path = path.replace(/(^|[.[])[^.[]*$/, '')) {
    const found = document.getElementById(idOf(path))
    if (found) return found
  }
  return null
}
