// Files from a drop or a file picker: a capture folder, wherever it lies in them, or text of debugfs.
import { CAPTURE_NAMES } from '@iommu/inspect'
import type { Handed } from './pack.js'

interface Named {
  readonly path: string
  readonly file: File
}

/** By handles: the only way that Chromium leaves open to a page from a disk. */
const readHandle = async (handle: FileSystemHandle, path: string): Promise<Named[]> => {
  if (handle.kind === 'file') return [{ path, file: await (handle as FileSystemFileHandle).getFile() }]
  const found: Named[] = []
  const members = (handle as FileSystemDirectoryHandle & AsyncIterable<readonly [string, FileSystemHandle]>)
  for await (const [name, member] of members) found.push(...await readHandle(member, `${path}/${name}`))
  return found
}

/** By entries: for browsers that have no handles. */
const readEntry = async (entry: FileSystemEntry): Promise<Named[]> => {
  if (entry.isFile) {
    const file = await new Promise<File>((done, failed) => (entry as FileSystemFileEntry).file(done, failed))
    return [{ path: entry.fullPath, file }]
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader()
  const found: Named[] = []
  // A reader hands over a hundred at a time, and nothing when all are told.
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((done, failed) => reader.readEntries(done, failed))
    if (some.length === 0) return found
    for (const each of some) found.push(...await readEntry(each))
  }
}

type WithHandle = DataTransferItem & { getAsFileSystemHandle?(): Promise<FileSystemHandle | null> }

const readItem = (item: WithHandle): Promise<Named[]> => {
  if (item.getAsFileSystemHandle !== undefined) {
    return item.getAsFileSystemHandle().then((handle) => (handle === null ? [] : readHandle(handle, handle.name)))
  }
  const entry = item.webkitGetAsEntry()
  return entry === null ? Promise.resolve([]) : readEntry(entry)
}

/** All items are asked before the first wait: a drop forgets them. */
export const filesOfDrop = async (data: DataTransfer): Promise<Named[]> => {
  const items = [...data.items].filter(({ kind }) => kind === 'file')
  return (await Promise.all(items.map(readItem))).flat()
}

export const filesOfPicker = (files: FileList): Named[] =>
  [...files].map((file) => ({ path: file.webkitRelativePath === '' ? file.name : file.webkitRelativePath, file }))

const folderOf = (path: string): string => path.slice(0, path.lastIndexOf('/') + 1)
const nameOf = (path: string): string => path.slice(path.lastIndexOf('/') + 1)

/** The first folder that has all four files; else everything that is text, as one. Throws an Error that says what lacks. */
export const handedIn = async (found: readonly Named[]): Promise<Handed> => {
  const byPath = new Map(found.map(({ path, file }) => [path, file]))
  const inFolder = (folder: string): (File | undefined)[] => Object.values(CAPTURE_NAMES).map((each: string) => byPath.get(`${folder}${each}`))
  const folders = [...new Set(found.map(({ path }) => folderOf(path)))]
  const whole = folders.find((folder) => inFolder(folder).every((file) => file !== undefined))
  if (whole !== undefined) {
    const file = (name: keyof typeof CAPTURE_NAMES): File => byPath.get(`${whole}${CAPTURE_NAMES[name]}`) as File
    const [meta, registers, tables, bytes] = await Promise.all([
      file('meta').text(), file('registers').text(), file('tables').text(), file('bytes').arrayBuffer(),
    ])
    return { name: nameOf(whole.replace(/\/$/, '')) || 'capture', files: { meta, registers, tables, bytes: new Uint8Array(bytes) } }
  }
  const begun = folders.map((folder) => ({ folder, missing: Object.values(CAPTURE_NAMES).filter((each: string) => !byPath.has(`${folder}${each}`)) }))
    .find(({ missing }) => missing.length < Object.keys(CAPTURE_NAMES).length)
  if (begun !== undefined || found.length === 0) {
    throw new Error(`a capture is a folder with ${Object.values(CAPTURE_NAMES).join(', ')}; missing: ${(begun?.missing ?? Object.values(CAPTURE_NAMES)).join(', ')}`)
  }
  const texts = await Promise.all(found.map(({ file }) => file.text()))
  return { name: found.map(({ path }) => nameOf(path)).join(' '), text: texts.join('\n') }
}
