import type { settings as en } from '../en/settings'
import type { Words } from '../text'

export const settings: Words<typeof en> = {
  title: '设置',
}
