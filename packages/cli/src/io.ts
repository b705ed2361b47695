// The outside of a verb: where its answer goes, where its talk goes, and what the terminal can show.

/** What a verb may use of the world. Tests hand in their own. */
export interface Io {
  /** The answer. */
  stdout(text: string): void
  /** Talk: what is not the answer. */
  stderr(text: string): void
  /** All of standard input. */
  stdin(): Promise<string>
  /** Standard input piece by piece, for what may be longer than memory. Absent: only all at once. */
  stdinPieces?(): AsyncIterable<string>
  /** Whether the answer goes to a terminal. */
  readonly isTTY: boolean
  /** Whether talk goes to a terminal. Absent: it does not. */
  readonly stderrIsTTY?: boolean
  readonly columns: number
  /** Whether the answer may be coloured. */
  readonly colour: boolean
}

/** Fine; the answer is no; bad usage or input; the environment could not do it. */
export const EXIT = { fine: 0, no: 1, usage: 2, environment: 3 } as const

/** One verb of the command. */
export interface Verb {
  readonly name: string
  /** One line for the list of verbs. */
  readonly summary: string
  /** The text of `iommu help <verb>`; a function where it takes time to make. */
  readonly usage: string | (() => Promise<string>)
  /** The exit code. Throws UsageError or InputError for what the caller did wrong. */
  run(args: string[], io: Io): Promise<number> | number
}

/** The arguments do not make a question. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

/** The world lacks something that the verb needs. */
export class EnvironmentError extends Error {
  override readonly name = 'EnvironmentError'
}

/** Writes the one object of `--json`. */
export const printJson = (io: Io, value: object): void => io.stdout(`${JSON.stringify(value, null, 2)}\n`)

/** Writes lines, each with its end. */
export const printLines = (io: Io, lines: readonly string[]): void =>
  io.stdout(lines.map((line) => `${line}\n`).join(''))
