import type { alarms as en } from '../en/alarms'
import type { Words } from '../text'

export const alarms: Words<typeof en> = {
  title: '告警',
}
