/** Alarms that were raised, the channels they go to, and silences. */
import { useSearch } from '@tanstack/react-router'
import { useState } from 'react'
import { useChannels, useSilences } from '../../api/queries'
import { useI18n } from '../../i18n'
import { Button, PageHead, Tabs, usePatchSearch } from '../../ui'
import { Channels } from './Channels'
import { PastAlarms } from './PastAlarms'
import { SilenceDialog } from './SilenceDialog'
import { Silences } from './Silences'
import { ALARM_TABS } from './search'

export default function AlarmsPage() {
  const { t } = useI18n()
  const search = useSearch({ from: '/alarms' })
  const patch = usePatchSearch()
  const [silencing, setSilencing] = useState(false)
  const silences = useSilences()
  const channels = useChannels()
  const tab = search.tab ?? 'past'
  const counts = {
    past: undefined,
    channels: channels.data?.items.length,
    silences: silences.data?.items.length,
  }
  return (
    <>
      <PageHead title={t.alarms.title}>
        <Button icon="bell" onClick={() => setSilencing(true)}>
          {t.alarms.silence.new}
        </Button>
      </PageHead>
      <Tabs
        label={t.alarms.title}
        current={tab}
        tabs={ALARM_TABS.map((id) => ({ id, label: t.alarms.tabs[id], count: counts[id] }))}
        onSelect={(id) => patch({ tab: id === 'past' ? undefined : id })}
      />
      {tab === 'past' && <PastAlarms job={search.job} channel={search.channel} text={search.text} />}
      {tab === 'channels' && <Channels />}
      {tab === 'silences' && <Silences />}
      {silencing && <SilenceDialog onClose={() => setSilencing(false)} />}
    </>
  )
}
