// explore: the explorer, served to this machine's browser.
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { readArguments } from '../arguments.js'
import { EnvironmentError, EXIT, printLines, UsageError } from '../io.js'
import type { Verb } from '../io.js'
import { servePage } from '../serve-page.js'

const PORT = 4173

const usage = `
iommu explore [--port P]

Serves the explorer to this machine until it is ended: one page that decodes fault
lines and table entries bit by bit, walks recorded tables, and plays domain changes
store by store. The page works without a server, too; its place is said first.

  --port   ${PORT} without it; 0 takes any that is free

Nothing leaves this machine: the page asks nobody, and only 127.0.0.1 is served.
`

/** Where the built page lies. Throws EnvironmentError where it does not. */
const pageFolder = (): string => {
  const folder = join(dirname(createRequire(import.meta.url).resolve('@iommu/explorer/package.json')), 'dist')
  if (existsSync(join(folder, 'index.html'))) return folder
  throw new EnvironmentError(`the explorer has not been built: there is no index.html in ${folder}; npm run build makes it`)
}

const portOf = (text: string): number => {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : NaN
  if (port < 65536) return port
  throw new UsageError(`--port is a number from 0 to 65535, found "${text}"`)
}

const isTaken = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === 'EADDRINUSE'

export const verb: Verb = {
  name: 'explore',
  summary: 'the explorer, a page for your browser, served locally',
  usage,
  async run(args, io) {
    const { values, positionals } = readArguments(args, { port: { type: 'string' } })
    if (positionals.length > 0) throw new UsageError(`expected no argument besides --port, found "${positionals[0]}"`)
    const port = values.port === undefined ? PORT : portOf(values.port)
    const folder = pageFolder()
    const served = await servePage(folder, port).catch((error: unknown) => {
      throw isTaken(error) ? new EnvironmentError(`port ${port} is taken; --port 0 takes any that is free`) : error
    })
    io.stderr(`iommu explore: ${join(folder, 'index.html')}; ends with Ctrl-C\n`)
    printLines(io, [served.address])
    await new Promise<void>((ended) => {
      process.once('SIGINT', ended)
      process.once('SIGTERM', ended)
    })
    await served.close()
    return EXIT.fine
  },
}
