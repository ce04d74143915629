import type { executors as en } from '../en/executors'
import type { Words } from '../text'

export const executors: Words<typeof en> = {
  title: '执行器',
}
