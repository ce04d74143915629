/** Fields before and after. */
import type { FieldChange, Json } from '../../api/types'
import { useI18n } from '../../i18n'

export function Changes({ changes }: { changes: readonly FieldChange[] }) {
  const { t } = useI18n()
  const words = t.job.history
  return (
    <table className="diff">
      <thead className="sr">
        <tr>
          <th scope="col">–</th>
          <th scope="col">{words.from}</th>
          <th scope="col">{words.to}</th>
        </tr>
      </thead>
      <tbody>
        {changes.map((change) => (
          <tr key={change.field}>
            <th scope="row">{change.field}</th>
            <td className="del">{shown(change.from)}</td>
            <td className="ins">{shown(change.to)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  )
}

function shown(value: Json | undefined): string {
  if (value === undefined || value === null) return '–'
  return typeof value === 'string' ? value : JSON.stringify(value)
}
