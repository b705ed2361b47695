// Runs the command: finds the verb, and turns what goes wrong into one sentence and an exit code.
import { EnvironmentError, EXIT, UsageError } from './io.js'
import type { Io, Verb } from './io.js'
import { summaries, verbs } from './verbs/index.js'
import type { VerbName } from './verbs/index.js'
import { VERSION } from './version.js'

const isVerb = (name: string): name is VerbName => Object.hasOwn(verbs, name)

const load = async (name: VerbName): Promise<Verb> => (await verbs[name]()).verb

const overview = (): string => {
  const width = Math.max(...Object.keys(summaries).map(({ length }) => length))
  return [
    'iommu: Linux\'s IOMMU contract, run; and what IOMMU tables and fault lines say',
    '',
    ...Object.entries(summaries).map(([name, summary]) => `  iommu ${name.padEnd(width)}  ${summary}`),
    '',
    'iommu help <verb> says more. --json gives one object; --no-color, no colours.',
    'Exit: 0 fine, 1 the answer is no, 2 bad usage or input, 3 cannot be done here.',
    '',
  ].join('\n')
}

/** Only a mistake pays for loading what measures names. */
const unknown = async (name: string): Promise<UsageError> => {
  const { nearest } = await import('@iommu/inspect')
  const near = nearest(name, Object.keys(verbs))
  return new UsageError(
    `there is no verb "${name}"${near === undefined ? '; iommu --help lists them' : `; did you mean ${near}?`}`,
  )
}

const usageOf = async ({ usage }: Verb): Promise<string> =>
  `${(typeof usage === 'string' ? usage : await usage()).trim()}\n`

const help = async (name: string | undefined, io: Io): Promise<number> => {
  if (name !== undefined && !isVerb(name)) throw await unknown(name)
  io.stdout(name === undefined ? overview() : await usageOf(await load(name)))
  return EXIT.fine
}

const dispatch = async ([first, ...rest]: string[], io: Io): Promise<number> => {
  if (first === undefined) {
    io.stderr(overview())
    return EXIT.usage
  }
  if (first === '--version' || first === '-V') {
    io.stdout(`${VERSION}\n`)
    return EXIT.fine
  }
  if (first === '--help' || first === '-h') return help(undefined, io)
  if (first === 'help') return help(rest[0], io)
  if (!isVerb(first)) throw await unknown(first)
  if (rest.includes('--help') || rest.includes('-h')) return help(first, io)
  return (await load(first)).run(rest, io)
}

/** What a person did wrong is told in one sentence; a stack would not help them. */
const report = (error: unknown, verb: string | undefined, io: Io): number => {
  const { name, message } = error as Error
  const where = verb !== undefined && isVerb(verb) ? `iommu ${verb}` : 'iommu'
  if (error instanceof EnvironmentError) {
    io.stderr(`${where}: ${message}\n`)
    return EXIT.environment
  }
  if (error instanceof UsageError || name === 'InputError') {
    io.stderr(`${where}: ${message}\n`)
    return EXIT.usage
  }
  io.stderr(`${where}: a fault of this program: ${message}\n`)
  return EXIT.environment
}

/** The exit code. `argv` is without node and the script. Never throws. */
export const run = async (argv: readonly string[], io: Io): Promise<number> => {
  const args = argv.filter((each) => each !== '--no-color' && each !== '--color')
  const colour = argv.includes('--no-color') ? false : argv.includes('--color') ? true : io.colour
  try {
    return await dispatch(args, { ...io, stdin: () => io.stdin(), colour })
  } catch (error) {
    return report(error, args[0], io)
  }
}
