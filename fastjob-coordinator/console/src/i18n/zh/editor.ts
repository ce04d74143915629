import type { editor as en } from '../en/editor'
import type { Words } from '../text'

export const editor: Words<typeof en> = {
  title: '编辑任务',
}
