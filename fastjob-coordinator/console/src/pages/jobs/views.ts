/** Views of the list of jobs that this browser has saved: a name and an address, which can be shared as a link. */
import { createStore, local, useStore } from '../../lib/store'

export interface SavedView {
  name: string
  /** The search of the address, such as `?last=failed`. */
  search: string
}

const MAX = 20

const saved = createStore<SavedView[]>(local.read('jobs.views', []))

export const useSavedViews = (): SavedView[] => useStore(saved)

function keep(views: SavedView[]): void {
  saved.set(views)
  local.write('jobs.views', views)
}

/** Saves a view; one with the same name is replaced. */
export function saveView(view: SavedView): void {
  keep([...saved.get().filter((one) => one.name !== view.name), view].slice(-MAX))
}

export function removeView(name: string): void {
  keep(saved.get().filter((one) => one.name !== name))
}
