// Runs the command in this process and keeps what it writes.
import { fileURLToPath } from 'node:url'
import type { Io } from '../src/io.js'
import { run } from '../src/run.js'

export interface Ran {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** `input` is what stands on standard input. */
export const iommu = async (args: readonly string[], input = '', terminal: Partial<Io> = {}): Promise<Ran> => {
  const written = { stdout: '', stderr: '' }
  const code = await run(args, {
    stdout: (text) => { written.stdout += text },
    stderr: (text) => { written.stderr += text },
    stdin: () => Promise.resolve(input),
    isTTY: false,
    columns: 80,
    colour: false,
    ...terminal,
  })
  return { code, ...written }
}

/** The object that --json writes. */
export const json = async (args: readonly string[], input = ''): Promise<Record<string, unknown>> =>
  JSON.parse((await iommu([...args, '--json'], input)).stdout) as Record<string, unknown>

/** Lines that are wider than a terminal of 80 columns. */
export const fits = (text: string): string[] => text.split('\n').filter((line) => [...line].length > 80)

export const capture = (name: string): string =>
  fileURLToPath(new URL(`../../inspect/test/fixtures/captures/${name}`, import.meta.url))
