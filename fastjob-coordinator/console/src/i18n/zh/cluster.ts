import type { cluster as en } from '../en/cluster'
import type { Words } from '../text'

export const cluster: Words<typeof en> = {
  title: '集群',
}
