/** Everything that pages are built from. */
export { BulkBar } from './BulkBar'
export { Button, Checkbox, Seg, SplitButton, Switch } from './Button'
export { type Bucket, Chart } from './Chart'
export { Code, CopyButton, copyText, JsonView, prettyJson } from './Copy'
export { cx } from './cx'
export { Confirm, Dialog } from './Dialog'
export { Go, paths, RowLink, useGo, usePatchSearch, useService } from './Go'
export { Icon, type IconName, Mark } from './Icon'
export { Menu, type MenuEntry, RowMenu } from './Menu'
export { Message, Original, useMessage } from './Message'
export { Metric, Spark, sparkPath } from './Metric'
export { NothingYet, Pager } from './Pager'
export { type Peeked, PeekText, usePeek } from './Peek'
export { ErrorCard, ProblemNote, problemWords } from './Problem'
export {
  Banner,
  Empty,
  Gauge,
  Hidden,
  Kbd,
  KeyValue,
  NewPill,
  PageHead,
  PageSkeleton,
  Section,
  Skeleton,
  type Tab,
  Tabs,
} from './parts'
export { Select, type SelectOption } from './Select'
export { Status, StatusIcon, useStateWord } from './Status'
export { Strip, type StripEntry } from './Strip'
export { type Selection, useSelection } from './selection'
export { type Column, Table } from './Table'
export { TextFilter } from './TextFilter'
export { Duration, For, Time, useNow } from './Time'
export { toast } from './Toast'
export { type TokenKey, TokenSearch } from './TokenSearch'
