// Words from outside: what Linux's and QEMU's own masks, recorded machines and kernels' logs say.
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const read = (name, otherwise) => {
  const file = fileURLToPath(new URL(`outside/${name}.json`, import.meta.url))
  if (otherwise !== undefined && !existsSync(file)) return otherwise
  return JSON.parse(readFileSync(file, 'utf8'))
}

/** Entries with the bits of their fields, and words with the values of theirs. */
export const outsideWords = (vendor) => read(vendor)
/**
 * Questions that recorded machines answer; see extract.js. RISC-V's: tables laid out as they were when the specification's
 * reference model was asked, and the causes that it recorded.
 */
export const outsideWalks = (vendor) => read(`walks-${vendor}`, [])
/** Lines that kernels wrote, and what they are about. */
export const outsideLines = (vendor) => read(`lines-${vendor}`, [])

const plain = (name) => name.toLowerCase().replaceAll(/[_\-. ]/g, '')

/** What outside calls one of our fields: by name, by another name in use, or undefined. */
export const outsideField = (fields, name, alias = []) => {
  const names = [name, ...alias].map(plain)
  return Object.entries(fields).find(([each, { alias: others = [] }]) =>
    [each, ...others].some((other) => names.includes(plain(other))))
}
