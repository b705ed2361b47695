// Kinds of sources, told apart by their content alone.
import type { StoredBytes } from './elf-core.js'

/** Linux's debugfs text of VT-d: iommu_regset, dmar_translation_struct, domain_translation_struct. */
export const isIntelDebugfs = (text: string): boolean =>
  /Root Table Address: 0x|^IOVA_PFN\s+PML5E|Register Base Address: [0-9a-f]+/m.test(text)

/** Linux's debugfs text of AMD-Vi: devtbl, mmio. */
export const isAmdDebugfs = (text: string): boolean =>
  /^DeviceId\s+QWORD\[3\]|Offset:0x[0-9a-f]+ Value:0x[0-9a-f]{16}\s*$/m.test(text)

/** Whether a text is one that `readPrinted` reads. */
export const isPrinted = (text: string): boolean => isIntelDebugfs(text) || isAmdDebugfs(text)

/** Dumps that hold memory in another form, by how they begin, and who can turn them into ELF. */
const OTHER_DUMPS: readonly (readonly [start: string, what: string])[] = [
  ['KDUMP   ', 'a kdump-compressed dump; dump-guest-memory without -z and makedumpfile -E write ELF'],
  ['DISKDUMP', 'a diskdump; makedumpfile -E writes ELF'],
  ['makedumpfile', 'makedumpfile\'s flattened form; makedumpfile -R puts it together'],
  ['EMiL', 'a LiME dump; its format "raw" or "padded" can be read with --base'],
  ['PAGEDU64', 'a Windows crash dump'],
]

/** `text`: it has no zero bytes. `other`: a dump in a form that cannot be read, and what that is. */
export type FileKind = { readonly kind: 'elf' | 'text' | 'bytes' } | { readonly kind: 'other'; readonly what: string }

const BEGINNING = 4096

/** What a file looks like from its first bytes. */
export const kindOfFile = (file: StoredBytes): FileKind => {
  const start = file.read(0, BEGINNING)
  const latin = String.fromCharCode(...start.subarray(0, 16))
  if (latin.startsWith('\x7fELF')) return { kind: 'elf' }
  const other = OTHER_DUMPS.find(([beginning]) => latin.startsWith(beginning))
  if (other !== undefined) return { kind: 'other', what: other[1] }
  return { kind: start.includes(0) ? 'bytes' : 'text' }
}
