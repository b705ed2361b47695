// Tegra20 GART: one aperture for all masters, its entries behind two registers. A domain keeps a table of its own in
// memory; the one that is live is copied into the chip, entry by entry. Outside of the aperture nothing is controlled.
import { decode } from '@iommu/bits'
import type { Machine } from '@iommu/hardware'
import { declare } from '../manifest.js'
import { APERTURE, config, ENTRIES, errorRequest, gartShape, INTERRUPT_GART, OFFSETS, pageEntry } from '../tables/tegra-gart.js'
import type { Storage } from '../tables/page-table.js'
import { entryAddress } from '../tables/shape.js'
import type { Level, Shape } from '../tables/shape.js'
import { loadWord, word } from '../tables/words.js'
import { apply } from './apply.js'
import type { Planner } from './planner.js'
import { readBack, write } from './steps.js'
import type { Step } from './steps.js'

const CONFIG = { name: 'CONFIG', offset: OFFSETS.CONFIG, layout: config }
const ENTRY_ADDR = { name: 'ENTRY_ADDR', offset: OFFSETS.ENTRY_ADDR }
const ENTRY_DATA = { name: 'ENTRY_DATA', offset: OFFSETS.ENTRY_DATA, layout: pageEntry }

/** One entry of the chip. */
export const setEntry = (iova: bigint, value: bigint): Step[] => [write(ENTRY_ADDR, iova), write(ENTRY_DATA, value)]

const addressOf = (index: number): bigint => APERTURE.start + BigInt(index) * 0x1000n
const indexes = Array.from({ length: ENTRIES }, (_, index) => index)
let identity: readonly bigint[] | undefined
/** An entry of an aperture that changes nothing: each page is itself. Made when first wanted: there are 8192. */
const itself = (index: number): bigint => {
  identity ??= indexes.map((each) => word(pageEntry, { VALID: 1, PA: addressOf(each) }))
  return identity[index] as bigint
}

export interface Gart {
  readonly planner: Planner
  /** Tables in memory, whose stores reach the chip while they are live. */
  readonly storageOf: (shape: Shape, inMemory: Storage) => Storage
}

/** Which table is live is the driver's to remember: the chip only has entries. */
export const createTegraGart = (machine: Machine): Gart => {
  let live: bigint | undefined
  const level = gartShape.levels[0] as Level
  const bytes = BigInt(ENTRIES * gartShape.form.bytes)
  /** Who is on which table: one that goes must not take the others' with it. */
  const aimed = new Map<number, bigint>()
  const entryOf = (root: bigint | undefined, index: number): bigint => (root === undefined ? itself(index)
    : loadWord(machine.memory, entryAddress(gartShape, level, root, addressOf(index)), gartShape.form))
  return {
    storageOf: (_shape, inMemory) => ({
      ...inMemory,
      store(address, value) {
        inMemory.store(address, value)
        if (live === undefined || address < live || address >= live + bytes) return
        apply(machine, setEntry(APERTURE.start + (address - live) / BigInt(gartShape.form.bytes) * 0x1000n, value))
      },
    }),
    planner: {
      manifest: declare({
        hardware: 'Tegra20 GART', blocked: false, identity: true, standInBlocks: false, format: gartShape.name,
        limits: {
          blocked: 'outside of its aperture every address passes, whatever is set',
          permissions: 'entries have no permission bits: pages can only be mapped for reads and writes',
          'one translation': 'all masters see the same aperture: all devices are one group',
        },
      }),
      shape: gartShape,
      aperture: APERTURE,
      ids: { what: 'domain', first: 0, limit: 1 << 16 },
      groupOf: () => 'gart',
      coherent: true,
      fixedBytes: 0,
      keepsAbsent: true,
      obstacle: () => undefined,
      takeOver: () => [
        ...indexes.flatMap((index) => setEntry(addressOf(index), itself(index))),
        write(CONFIG, word(config, { ENABLE: 1 })), readBack(CONFIG),
      ],
      open: () => [],
      // Who was the last on it has been aimed elsewhere, and the entries with it.
      close: () => [],
      aim(client, _from, to) {
        if (to.at === 'tables') aimed.set(client, to.root)
        else aimed.delete(client)
        const next = to.at === 'tables' ? to.root : [...aimed.values()].at(-1)
        const before = live
        live = next
        return [
          ...indexes.flatMap((index) => (entryOf(before, index) === entryOf(next, index) ? [] : setEntry(addressOf(index), entryOf(next, index)))),
          readBack(CONFIG),
        ]
      },
      // Nothing is kept: a read makes the posted writes arrive.
      flush: () => [readBack(CONFIG)],
      readFaults({ read }) {
        if ((read(OFFSETS.INTSTATUS) & BigInt(INTERRUPT_GART)) === 0n) return { faults: [], clear: [] }
        const { WRITE } = decode(errorRequest, [read(OFFSETS.ERROR_REQ)])
        return {
          faults: [{ code: INTERRUPT_GART, address: read(OFFSETS.ERROR_ADR), access: WRITE === 1 ? 'write' : 'read', meaning: 'invalid aperture entry' }],
          clear: [write({ name: 'INTSTATUS', offset: OFFSETS.INTSTATUS }, BigInt(INTERRUPT_GART))],
        }
      },
    },
  }
}
