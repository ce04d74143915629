import { useState } from 'react'
import { actions } from '../../api/queries'
import type { AppliedJob, JobView } from '../../api/types'
import { useI18n } from '../../i18n'
import { Banner, Button, Confirm, toast } from '../../ui'
import { type Loaded, pathOf } from './useSave'

/** Who owns the definition, and what saving it means for that. */
export function Origin({
  loaded,
  applied,
  changed,
  onReload,
}: {
  loaded: Loaded
  applied: AppliedJob | null
  changed: boolean
  onReload?: (loaded: Loaded) => void
}) {
  const { t, say } = useI18n()
  const words = t.editor.code
  const [asking, setAsking] = useState(false)
  const { view } = loaded
  const taken = view.origin !== 'code' && view.declared !== undefined
  if (view.origin !== 'code' && !taken) return null
  const takes = view.origin === 'code' && changed && applied?.was_code === true
  return (
    <>
      <Banner
        end={
          taken && (
            <Button look="link" small className="bare" onClick={() => setAsking(true)}>
              {words.release}
            </Button>
          )
        }
      >
        {taken ? words.was : takes ? words.will : words.follows}
      </Banner>
      {asking && (
        <Confirm
          title={say(words.releaseTitle, { job: view.name })}
          verb={words.release}
          onClose={() => setAsking(false)}
          onConfirm={async () => {
            const released: JobView = await actions.release(pathOf(view))
            toast.done(say(words.released, { job: view.name }))
            // The next save asks for the revision that it was read with, so without a tag it looks before.
            onReload?.({ view: released, etag: null })
          }}
        >
          <p>{words.releaseDetail}</p>
        </Confirm>
      )}
    </>
  )
}
