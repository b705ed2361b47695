// Non-leaf entries of the device directory (DDT) and of process directories (PDT): a pointer to the next level.
import { address, bit, entry } from '@iommu/bits'

export const deviceDirectoryEntry = entry('riscv.ddt', {
  title: 'Device directory, non-leaf entry', bits: 64, section: 'riscv:2.1.1?', confirmedBy: ['linux', 'qemu', 'spec'],
  reserved: [[9, 1], [63, 54]],
}, {
  V: bit(0, 'Valid'),
  PPN: address(53, 10, 'Next level of the directory', { scale: 12 }),
})

/** Of the same form as those of the device directory. */
export const processDirectoryEntry = entry('riscv.pdt', {
  title: 'Process directory, non-leaf entry', bits: 64, section: 'riscv:2.2.1?', confirmedBy: ['spec'],
  reserved: [[9, 1], [63, 54]],
}, {
  V: bit(0, 'Valid'),
  PPN: address(53, 10, 'Next level of the directory', { scale: 12 }),
})

/** Levels of a directory, from the root down: how many bits of the id each of them takes. */
export type Split = readonly number[]

const BASE: Split = [8, 9, 7]
const EXTENDED: Split = [9, 9, 6]
const PROCESS: Split = [3, 9, 8]

/** How 24-bit device ids are split. The extended format's contexts are twice as large, so a page holds half as many. */
export const deviceSplit = (extended: boolean, levels: number): Split => (extended ? EXTENDED : BASE).slice(3 - levels)

/** How process ids are split: 8 bits are one level, 17 are two, 20 are three. */
export const processSplit = (levels: number): Split => PROCESS.slice(3 - levels)

/** Ids below this have a place in a directory of this split. */
export const splitLimit = (split: Split): number => 2 ** split.reduce((sum, bits) => sum + bits, 0)

/** The index of an id at each level, from the root down. */
export const indexes = (split: Split, id: number): number[] => {
  let rest = id
  return [...split].reverse().map((bits) => {
    const index = rest % 2 ** bits
    rest = Math.floor(rest / 2 ** bits)
    return index
  }).reverse()
}
