import type { handlers as en } from '../en/handlers'
import type { Words } from '../text'

export const handlers: Words<typeof en> = {
  title: '处理器',
}
