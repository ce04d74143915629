/** Files that the browser saves. */
import { get } from '../../../api/client'
import type { LogView } from '../../../api/types'
import type { LogChoice } from './useLog'

const PIECE = 1_048_576

/** Saves a text as a file. */
export function saveFile(name: string, parts: BlobPart[], type = 'text/plain;charset=utf-8'): void {
  const url = URL.createObjectURL(new Blob(parts, { type }))
  const link = document.createElement('a')
  link.href = url
  link.download = name
  link.click()
  // The download has begun when the event was handled.
  setTimeout(() => URL.revokeObjectURL(url), 60_000)
}

/** Reads a whole log, as far as it is written now, and saves it. */
export async function downloadLog(task: number, { shard, attempt }: LogChoice, name: string): Promise<void> {
  const parts: BlobPart[] = []
  let offset = 0
  let number = attempt
  for (;;) {
    const piece = await get<LogView>(`/tasks/${task}/log`, { shard, attempt: number, offset, limit: PIECE })
    if (piece.text !== '') parts.push(piece.text)
    number = piece.number
    offset = piece.next_offset
    if (piece.ended || piece.text === '') break
  }
  saveFile(name, parts)
}
