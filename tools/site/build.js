// Builds the site into a folder: static pages that also work from a disk.
//
//   node build.js [--out FOLDER]      the packages and the explorer must have been built
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { brokenLinks } from './links.js'
import { isOurs, writeSite } from './site.js'

const root = fileURLToPath(new URL('../..', import.meta.url))
const { values: { out = join(root, 'site') } } = parseArgs({ options: { out: { type: 'string' } } })

const explorer = join(root, 'packages/explorer/dist')
if (!existsSync(explorer)) throw new Error(`${explorer} is not there; npm run build makes it`)
const count = await writeSite(root, out, explorer)
const broken = brokenLinks(out, isOurs)
for (const each of broken) process.stderr.write(`${each}\n`)
process.stdout.write(`${count} pages in ${out}\n`)
process.exitCode = broken.length === 0 ? 0 : 1
