/** A clock that programs follow instead of the machine's: libfaketime reads it from a file. A day of history passes in
 * minutes, and all pictures are taken at the same moment of the same day. */
import fs from 'node:fs'

import { need } from './paths'

const library = need('PICTURES_FAKETIME')

export class Clock {
  private base = 0
  private set = 0
  private rate = 1

  constructor(
    private readonly file: string,
    at: string,
  ) {
    this.run(1, Date.parse(at))
  }

  /** What a program needs in its environment to follow this clock. */
  get env(): Record<string, string> {
    return {
      TZ: 'UTC',
      LD_PRELOAD: library,
      FAKETIME_TIMESTAMP_FILE: this.file,
      // Each program sees a change of the file at once, so that they agree.
      FAKETIME_NO_CACHE: '1',
      FASTJOB_LOG: 'warn',
      // At sixty times the speed, a short stall of this machine is half a minute: no executor is lost by it.
      FASTJOB_BEAT: '30s',
      FASTJOB_EXECUTOR_LOST: '20m',
    }
  }

  now(): number {
    return this.base + (Date.now() - this.set) * this.rate
  }

  /** Goes on at this many seconds per second, from `at` on, which is not before now. */
  run(rate: number, at: number = this.now()): void {
    // The file has whole seconds, and no clock may be set back.
    this.base = Math.ceil(at / 1000) * 1000
    this.set = Date.now()
    this.rate = rate
    const text = new Date(this.base).toISOString().replace('T', ' ').slice(0, 19)
    const draft = `${this.file}.draft`
    fs.writeFileSync(draft, `@${text} x${rate}\n`)
    fs.renameSync(draft, this.file)
  }

  /** Waits until it shows this time. */
  async reaches(at: string): Promise<void> {
    const wait = (Date.parse(at) - this.now()) / this.rate
    if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait))
  }
}
