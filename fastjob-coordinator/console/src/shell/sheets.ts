import { createStore } from '../lib/store'

/** Which sheet lies over the page: the palette or the shortcuts. */
export const sheet = createStore<'palette' | 'keys' | null>(null)
