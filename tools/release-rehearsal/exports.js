// What two readers of packages say of a tarball: publint of its package.json and files, attw of what TypeScript resolves.
import { readFileSync } from 'node:fs'
import { checkPackage, createPackageFromTarballData } from '@arethetypeswrong/core'
import { publint } from 'publint'
import { formatMessage } from 'publint/utils'

/**
 * Of attw, what is meant: every package is ESM alone. Node 20.19 can require it; TypeScript's node16 resolution of a
 * CommonJS file still calls that a dynamic import.
 */
const MEANT = new Set(['CJSResolvesToESM'])

/** Resolutions that no package of ours claims to serve: node10 knows no exports. */
const NOT_SERVED = new Set(['node10'])

/** Everything that publint says, suggestions too. Empty: clean. */
export const publintFindings = async (tarball) => {
  const bytes = readFileSync(tarball)
  const { messages, pkg } = await publint({
    level: 'suggestion', strict: true,
    pack: { tarball: bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) },
  })
  return messages.map((message) => `${message.code}: ${formatMessage(message, pkg, { color: false }) ?? JSON.stringify(message)}`)
}

const spell = ({ kind, entrypoint, resolutionKind, ...rest }) =>
  `${kind} ${entrypoint ?? ''} ${resolutionKind ?? ''} ${entrypoint === undefined ? JSON.stringify(rest) : ''}`.trim()

/** Everything that attw says of the entries that are code. Empty: clean. Throws where there are no types at all. */
export const attwFindings = async (entries, tarball) => {
  const result = await checkPackage(createPackageFromTarballData(new Uint8Array(readFileSync(tarball))), { entrypoints: [...entries] })
  if (result.types === false) throw new Error('no types were found')
  return result.problems.filter(({ kind, resolutionKind }) => !MEANT.has(kind) && !NOT_SERVED.has(resolutionKind)).map(spell)
}
