import type { overview as en } from '../en/overview'
import type { Words } from '../text'

export const overview: Words<typeof en> = {
  title: '概览',
}
