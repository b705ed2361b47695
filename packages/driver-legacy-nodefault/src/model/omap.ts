// OMAP MMU as hardware: one instance for each client, each with a table pointer and a TLB of its own.
import { decode } from '@iommu/bits'
import { cam, control, INSTANCE_BYTES, interrupts, OFFSETS, omapShape } from '../tables/omap.js'
import { word } from '../tables/words.js'
import { createMachine } from './machine.js'
import type { LegacyMachine, ModelOptions } from './machine.js'
import { fault } from './part.js'
import type { Inside, Part } from './part.js'
import { createRegisterFile } from './registers.js'

const TRANSLATION = fault(Number(word(interrupts, { TRANSLATIONFAULT: 1 })), 'translation fault')
const WALK = fault(Number(word(interrupts, { TABLEWALKFAULT: 1 })), 'table walk fault')
const MISS = fault(Number(word(interrupts, { TLBMISS: 1 })), 'TLB miss')

const createPart = ({ translations }: Inside): Part => {
  const file = createRegisterFile({}, (offset, value) => {
    const instance = Math.floor(offset / INSTANCE_BYTES)
    const mine = (tag: number): boolean => tag === instance
    switch (offset % INSTANCE_BYTES) {
      case OFFSETS.GFLUSH: return void (value !== 0 && translations.dropTags(mine))
      case OFFSETS.FLUSH_ENTRY: {
        const { VATAG } = decode(cam, [BigInt(file.get(instance * INSTANCE_BYTES + OFFSETS.CAM))])
        return void translations.dropRange(mine, Number(VATAG >> 12n), Number(VATAG >> 12n))
      }
      case OFFSETS.IRQSTATUS: return file.get(offset) & ~value
      default: return undefined
    }
  })
  return {
    busBits: 32,
    registers: file,
    route({ source }, note) {
      const base = source * INSTANCE_BYTES
      const value = BigInt(file.get(base + OFFSETS.CNTL))
      const { MMU_EN, TWL_EN } = decode(control, [value])
      note({ entry: control.name, address: undefined, words: [value], note: MMU_EN === 1 ? 'MMU on' : 'MMU off' })
      if (MMU_EN === 0) return { to: 'identity', why: 'MMU off' }
      // Without walks only what software loads into the TLB is translated, and nothing here loads it.
      if (TWL_EN === 0) return { to: 'blocked', fault: MISS }
      return {
        to: 'tables', shape: omapShape, root: BigInt(file.get(base + OFFSETS.TTB)), tag: source, named: `MMU ${source}`,
        read: true, write: true, absent: TRANSLATION, denied: TRANSLATION, invalid: WALK,
      }
    },
    record({ source, address }, { code }) {
      const base = source * INSTANCE_BYTES
      file.set(base + OFFSETS.IRQSTATUS, file.get(base + OFFSETS.IRQSTATUS) | code)
      file.set(base + OFFSETS.FAULT_AD, Number(address))
    },
  }
}

export const createOmapMachine = (options: ModelOptions = {}): LegacyMachine => createMachine(createPart, { ...options, coherent: false })
