// Captures of what Linux left in memory, which lie beside the repository where somebody has put them.
import { existsSync, readdirSync, readFileSync } from 'node:fs'

const FOLDER = new URL('../../../shared/captures/', import.meta.url)

/** Their names, of one vendor's; none where there are no captures. */
export const capturesOf = (vendor: string): string[] =>
  existsSync(FOLDER) ? readdirSync(FOLDER).filter((name) => name.startsWith(`${vendor}-`)) : []

export const captured = <T>(capture: string, file: string): T => JSON.parse(readFileSync(new URL(`${capture}/${file}.json`, FOLDER), 'utf8')) as T

/** The bytes of its tables. */
export const capturedTables = (capture: string): Buffer => readFileSync(new URL(`${capture}/tables.bin`, FOLDER))
