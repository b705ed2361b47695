// PCI without firmware: configuration space, and where the functions' registers are put.
import type { Qtest } from './qtest.js'
import { hex } from './qtest.js'

/** How a board reaches configuration space: PC ports, or a window in memory. */
export type ConfigSpace = 'ports' | { readonly window: bigint }

/** Configuration registers of 32 bits. */
const COMMAND = 0x04
const BAR0 = 0x10
const MEMORY_AND_BUS_MASTER = 6

const ADDRESS_PORT = 0xcf8
const DATA_PORT = 0xcfc
const ENABLE = 0x8000_0000

const read = (space: ConfigSpace, source: number, register: number): readonly string[] =>
  space === 'ports'
    ? [`outl ${hex(ADDRESS_PORT)} ${hex(ENABLE + source * 256 + register)}`, `inl ${hex(DATA_PORT)}`]
    : [`readl ${hex(space.window + BigInt(source * 4096 + register))}`]

const write = (space: ConfigSpace, source: number, register: number, value: number): readonly string[] =>
  space === 'ports'
    ? [`outl ${hex(ADDRESS_PORT)} ${hex(ENABLE + source * 256 + register)}`, `outl ${hex(DATA_PORT)} ${hex(value)}`]
    : [`writel ${hex(space.window + BigInt(source * 4096 + register))} ${hex(value)}`]

/** A register of a function; all ones where there is no function. */
export const readConfig = (qtest: Qtest, space: ConfigSpace, source: number, register: number): number =>
  Number(BigInt(qtest.batch(read(space, source, register)).at(-1) as string))

/** Commands that put 64-bit base addresses into BAR 0 and BAR 2, and switch memory and bus mastering on. */
export const placeFunction = (space: ConfigSpace, source: number, ...bases: readonly bigint[]): readonly string[] => [
  ...bases.flatMap((base, index) => [
    ...write(space, source, BAR0 + index * 8, Number(base & 0xffff_ffffn)),
    ...write(space, source, BAR0 + index * 8 + 4, Number(base >> 32n)),
  ]),
  ...write(space, source, COMMAND, MEMORY_AND_BUS_MASTER),
]
