import type { timetable as en } from '../en/timetable'
import type { Words } from '../text'

export const timetable: Words<typeof en> = {
  title: '时间表',
}
