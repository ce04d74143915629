import type { executor as en } from '../en/executor'
import type { Words } from '../text'

export const executor: Words<typeof en> = {
  title: '执行器',
}
