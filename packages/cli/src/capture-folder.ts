// Opens a capture folder: the four files that a reader of tables may look at, and no other.
import { readFileSync, statSync } from 'node:fs'
import type { Stats } from 'node:fs'
import { join } from 'node:path'
import { CAPTURE_NAMES, InputError, readCapture } from '@iommu/inspect'
import type { Capture } from '@iommu/inspect'

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'no such file', EACCES: 'a file that may not be read', EISDIR: 'a folder', ENOTDIR: 'no folder above it',
}

/** Why a file could not be read, in words. */
export const whyUnreadable = (error: unknown): string => {
  const { code = '' } = error as NodeJS.ErrnoException
  return REASONS[code] ?? `an error (${code || String(error)})`
}

/** What lies at a path; undefined where nothing does, and for a text that can be no path. */
export const statOf = (path: string): Stats | undefined => {
  try {
    return statSync(path, { throwIfNoEntry: false })
  } catch {
    return undefined
  }
}

const read = (folder: string, name: string): Buffer => {
  try {
    return readFileSync(join(folder, name))
  } catch (error) {
    throw new InputError({ file: folder, place: name, expected: 'a file of the capture', found: whyUnreadable(error) })
  }
}

/** Throws InputError where the folder or its files are not as they must be. */
export const openCapture = async (folder: string): Promise<Capture> => {
  const isFolder = statOf(folder)?.isDirectory()
  if (isFolder !== true) {
    throw new InputError({
      file: folder,
      place: 'the source',
      expected: 'a capture folder with meta.json, registers.json, tables.json and tables.bin',
      found: isFolder === undefined ? 'nothing there' : 'a file',
    })
  }
  const { meta, registers, tables, bytes } = CAPTURE_NAMES
  return readCapture({
    meta: read(folder, meta).toString('utf8'),
    registers: read(folder, registers).toString('utf8'),
    tables: read(folder, tables).toString('utf8'),
    bytes: read(folder, bytes),
  })
}
