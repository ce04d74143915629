/** What `scripts/screenshots` passes. */
export function need(variable: string): string {
  const value = process.env[variable]
  if (!value) throw new Error(`${variable} is not set: start scripts/screenshots`)
  return value
}

/** A folder of this run. */
export const work = need('PICTURES_WORK')
/** Where the pictures go. */
export const folder = need('PICTURES_FOLDER')

/** The port on which programs listen, one after the other. */
export const port = need('PICTURES_PORT')
/** The address that the pictures show: the browser resolves it to that port. */
export const shown = 'http://127.0.0.1:7070'
