// The smallest honest hardware for drivers that have no package here: the registers or the entry that decide, and tables.
import { address, bit, decode, encode, entry } from '@iommu/bits'
import { createMachine } from '../model/machine.js'
import type { LegacyMachine } from '../model/machine.js'
import { fault } from '../model/part.js'
import type { Inside, Part, Route } from '../model/part.js'
import { createRegisterFile } from '../model/registers.js'
import type { OnWrite, RegisterFile } from '../model/registers.js'
import type { Shape } from '../tables/shape.js'

const FAULT = fault(1, 'translation fault')
const DENIED = fault(2, 'blocked')

export const blockedRoute: Route = { to: 'blocked', fault: DENIED }
export const identityRoute = (why: string): Route => ({ to: 'identity', why })
export const tablesRoute = (shape: Shape, root: bigint, tag = 0): Route => ({
  to: 'tables', shape, root, tag, named: 'domain', read: true, write: true, absent: FAULT, denied: FAULT, invalid: FAULT,
})

/** Hardware that is only registers: `decide` reads them for a source. */
export interface SmallHardware {
  readonly busBits?: number
  readonly resets?: Readonly<Record<number, number>>
  readonly decide: (get: (offset: number) => number, inside: Inside, access: 'read' | 'write') => Route
  readonly onWrite?: (inside: Inside, file: () => RegisterFile) => OnWrite
  readonly call?: (inside: Inside) => (operation: string, args: readonly bigint[]) => bigint
}

export const smallMachine = ({ busBits = 32, resets, decide, onWrite, call }: SmallHardware): LegacyMachine => createMachine((inside): Part => {
  const file: RegisterFile = createRegisterFile(resets, onWrite?.(inside, () => file))
  const run = call?.(inside)
  return {
    busBits,
    registers: file,
    ...(run === undefined ? {} : { call: run }),
    route: ({ access }) => decide(file.get, inside, access),
  }
}, { coherent: false })

/** Whether a bit of a register is set. */
export const isSet = (value: number, at: number): boolean => ((value >>> at) & 1) === 1

/** The page tables of hardware whose own tables do not decide anything here: two levels, one valid bit. */
const standInEntry = entry('stand-in', {
  title: 'An entry that stands in for the hardware\'s own', bits: 32, wordBits: 32, section: 'none', confirmedBy: [], reserved: [[11, 1]],
}, { V: bit(0, 'Valid'), ADDR: address(31, 12, 'Table or page') })

const entryWord = (at: bigint): bigint => encode(standInEntry, { V: 1, ADDR: at })[0] as bigint
const read = (value: bigint): { readonly V: number; readonly ADDR: bigint } => decode(standInEntry, [value])

export const standInShape: Shape = {
  name: 'stand-in',
  form: { bytes: 4, order: 'little' },
  physicalBits: 32,
  refuses: () => undefined,
  levels: [
    {
      name: 'stand-in', high: 31, low: 22, empty: 0n, pages: [], table: entryWord,
      read: (value) => (read(value).V === 0 ? { is: 'empty' } : { is: 'table', at: read(value).ADDR, read: true, write: true }),
    },
    {
      name: 'stand-in', high: 21, low: 12, empty: 0n, pages: [{ shift: 12, encode: entryWord }],
      read: (value) => (read(value).V === 0 ? { is: 'empty' } : { is: 'page', shift: 12, physical: read(value).ADDR, read: true, write: true }),
    },
  ],
}
