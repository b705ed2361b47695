// The public face of every package, entry by entry, as files that are reviewed: api/<package>[.<entry>].api.md.
//
//   node api.js            writes them from the declarations as built
//   node api.js --check    shows the differences and fails where there is one
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { CompilerState, Extractor, ExtractorConfig } from '@microsoft/api-extractor'
import { publishedPackages } from './packages.js'

const root = fileURLToPath(new URL('../..', import.meta.url))
const silent = { default: { logLevel: 'none' } }

/** "driver-riscv.model" */
const reportName = (folder, entry) => `${basename(folder)}${entry.slice(1).replaceAll('/', '.')}`

/** The declarations that an entry's importers see. Throws where it was not built. */
const declarationsOf = ({ name, folder, exports }, entry) => {
  const file = join(folder, exports[entry].types)
  if (!existsSync(file)) throw new Error(`${name}: ${file} is not there; npm run build makes it`)
  return file
}

/**
 * What to report of one entry. The extractor reads declarations by a TypeScript of its own, which is older than ours: what
 * it could not read it reports as an error of the compiler, and those are not silenced.
 */
const configOf = (each, entry, destination) => ExtractorConfig.prepare({
  configObjectFullPath: undefined,
  packageJsonFullPath: join(each.folder, 'package.json'),
  configObject: {
    projectFolder: each.folder,
    mainEntryPointFilePath: declarationsOf(each, entry),
    compiler: { overrideTsconfig: { compilerOptions: {
      target: 'es2022', lib: ['es2023'], module: 'nodenext', moduleResolution: 'nodenext', strict: true, types: ['node'],
    } } },
    apiReport: {
      enabled: true, reportFolder: destination, reportTempFolder: join(destination, 'temp'), reportFileName: reportName(each.folder, entry),
      includeForgottenExports: true,
    },
    docModel: { enabled: false }, dtsRollup: { enabled: false }, tsdocMetadata: { enabled: false },
    newlineKind: 'lf',
    messages: { compilerMessageReporting: { default: { logLevel: 'error' } }, extractorMessageReporting: silent, tsdocMessageReporting: silent },
  },
})

/** Writes all reports into an empty folder. Throws what the extractor says where declarations cannot be read. */
const writeReports = (destination) => {
  const configs = publishedPackages(root).flatMap((each) => each.entries.map((entry) => configOf(each, entry, destination)))
  const compilerState = CompilerState.create(configs[0], {
    additionalEntryPoints: configs.slice(1).map(({ mainEntryPointFilePath }) => mainEntryPointFilePath),
  })
  for (const config of configs) {
    const problems = []
    const { errorCount } = Extractor.invoke(config, {
      localBuild: true,
      compilerState,
      messageCallback: (message) => {
        if (message.logLevel === 'error') problems.push(message.formatMessageWithLocation(root))
        message.handled = true
      },
    })
    if (errorCount > 0) throw new Error(`${config.mainEntryPointFilePath}:\n${problems.join('\n')}`)
  }
  rmSync(join(destination, 'temp'), { recursive: true, force: true })
}

const main = () => {
  const { values: { check } } = parseArgs({ options: { check: { type: 'boolean' } } })
  const work = mkdtempSync(join(tmpdir(), 'iommu-api-'))
  const kept = join(root, 'api')
  const fresh = join(work, 'api')
  try {
    mkdirSync(fresh)
    writeReports(fresh)
    if (check === true) {
      const { status, stdout, stderr } = spawnSync('git', ['diff', '--no-index', '--no-color', '--', kept, fresh], { encoding: 'utf8' })
      if (status === 0) return 0
      process.stderr.write(`${stdout}${stderr}\nThe public API is not what api/ says. Where that is meant, npm run api writes it.\n`)
      return 1
    }
    rmSync(kept, { recursive: true, force: true })
    mkdirSync(kept)
    for (const file of readdirSync(fresh)) renameSync(join(fresh, file), join(kept, file))
    return 0
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}

process.exitCode = main()
