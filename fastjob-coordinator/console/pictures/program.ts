/** A program that follows a clock, and ends with the pictures. */
import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { Clock } from './clock'

export class Program {
  private constructor(
    private readonly child: ChildProcess,
    private readonly lines: AsyncIterableIterator<string>,
  ) {}

  static start(
    path: string,
    options: string[],
    clock: Clock,
    settings: { cwd?: string; env?: Record<string, string> } = {},
  ): Program {
    const env = { ...process.env, ...clock.env, ...settings.env }
    const child = spawn(path, options, { cwd: settings.cwd, env, stdio: ['pipe', 'pipe', 'inherit'] })
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
    return new Program(child, lines)
  }

  /** The next line that it prints and that has this. */
  async line(pattern: RegExp): Promise<string> {
    for (;;) {
      const { value, done } = await this.lines.next()
      if (done) throw new Error(`the program ended before it printed ${pattern}`)
      if (pattern.test(value)) return value
    }
  }

  /** Gives an order on its standard input, and waits for the answer. */
  async order(text: string): Promise<void> {
    this.child.stdin?.write(`${text}\n`)
    const { error } = JSON.parse(await this.line(/^\{/)) as { error?: string }
    if (error) throw new Error(`${text}: ${error}`)
  }

  async end(): Promise<void> {
    if (this.child.exitCode !== null) return
    const ended = new Promise((resolve) => this.child.once('exit', resolve))
    this.child.stdin?.end()
    this.child.kill('SIGTERM')
    await ended
  }
}
