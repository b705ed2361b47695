// new: a driver of your own, scaffolded.
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { findWorkspace, readName, scaffoldDriver } from '@iommu/kit'
import { InputError } from '@iommu/inspect'
import { readArguments } from '../arguments.js'
import { EXIT, printJson, printLines, UsageError } from '../io.js'
import type { Verb } from '../io.js'
import { painter } from '../text.js'

const usage = `
iommu new driver <name> [--into FOLDER] [--json]

A driver with the same rooms as those that are here, and a model of its
hardware. It blocks from the first day, and declares nothing else: what is
declared in its manifest next, the suite runs. docs/write-a-driver.md goes on
from there.

In this project's own workspace it becomes packages/driver-<name>, elsewhere
./driver-<name>, a package of its own. Nothing is ever overwritten.

  --into   the folder to make it in, in place of these
`

const things = ['driver'] as const

/** The folder of a new driver. In the workspace it is a package among others. */
const folderOf = (name: string, into: string | undefined, workspace: string | undefined): string => {
  if (into !== undefined) return resolve(into)
  return workspace === undefined ? resolve(`driver-${name}`) : join(workspace, 'packages', `driver-${name}`)
}

const refuseWhatIsThere = (folder: string, shown: string): void => {
  if (!existsSync(folder)) return
  let entries: number
  try {
    entries = readdirSync(folder).length
  } catch {
    throw new InputError({ file: shown, place: 'folder', expected: 'a folder that does not exist yet', found: 'a file' })
  }
  if (entries > 0) {
    throw new InputError({ file: shown, place: 'folder', expected: 'a folder that is empty or does not exist yet', found: `${entries} entries` })
  }
}

export const verb: Verb = {
  name: 'new',
  summary: 'a driver of your own, scaffolded: iommu new driver acme',
  usage,
  run(args, io) {
    const { values, positionals: [thing, text, ...rest] } = readArguments(args, { into: { type: 'string' }, json: { type: 'boolean' } })
    if (thing === undefined || !things.some((each) => each === thing)) {
      throw new UsageError(`expected what to make, as in: iommu new driver acme${thing === undefined ? '' : `; there is no scaffold of "${thing}"`}`)
    }
    if (text === undefined || rest.length > 0) throw new UsageError('expected one name, as in: iommu new driver acme')
    const name = readName(text)
    if (name === undefined) throw new UsageError(`"${text}" is no name for a driver: lower-case letters, digits and single dashes, as in my-chip`)
    const workspace = findWorkspace(process.cwd())
    const folder = folderOf(name.kebab, values.into, workspace)
    const inside = workspace !== undefined && dirname(folder) === join(workspace, 'packages')
    const shown = relative(process.cwd(), folder) || '.'
    refuseWhatIsThere(folder, shown)
    const files = scaffoldDriver(name, inside)
    for (const { path, text: content } of files) {
      mkdirSync(dirname(join(folder, path)), { recursive: true })
      writeFileSync(join(folder, path), content, { flag: 'wx' })
    }
    if (values.json === true) {
      printJson(io, { schema: 'iommu.new/1', folder: shown, files: files.map(({ path }) => join(shown, path)) })
      return EXIT.fine
    }
    const paint = painter(io)
    printLines(io, [
      `${paint('name', shown)}  ${files.length} files, the same rooms as the other drivers`,
      ...(inside ? [
        '  next  npm install                    links it into the workspace',
        `        npx vitest run ${shown}`,
      ] : [
        `  next  cd ${shown} && npm install`,
        '        npm test                       it blocks; the rest is not declared yet',
      ]),
      '        src/tables/device.ts           the entry of your hardware, bits as in its manual',
      '        src/manifest.ts                declare the next thing, and see what fails',
      '        docs/write-a-driver.md         in the iommu repository: how to go on',
    ])
    return EXIT.fine
  },
}
