// Tegra20 GART as hardware: inside of the aperture an entry of the chip decides, outside nothing does.
import { decode } from '@iommu/bits'
import { APERTURE, config, errorRequest, INTERRUPT_GART, OFFSETS, pageEntry } from '../tables/tegra-gart.js'
import { word } from '../tables/words.js'
import { createMachine } from './machine.js'
import type { LegacyMachine, ModelOptions } from './machine.js'
import { fault } from './part.js'
import type { Part } from './part.js'
import { createRegisterFile } from './registers.js'

const INVALID = fault(INTERRUPT_GART, 'invalid aperture entry')

const createPart = (): Part => {
  const entries = new Map<number, number>()
  const file = createRegisterFile({}, (offset, value) => {
    switch (offset) {
      case OFFSETS.ENTRY_DATA: return void entries.set(file.get(OFFSETS.ENTRY_ADDR), value)
      case OFFSETS.INTSTATUS: return file.get(offset) & ~value
      default: return undefined
    }
  }, (offset) => (offset === OFFSETS.ENTRY_DATA ? entries.get(file.get(OFFSETS.ENTRY_ADDR)) ?? 0 : undefined))
  return {
    busBits: 32,
    registers: file,
    route({ address }, note) {
      if (address < APERTURE.start || address > APERTURE.end) return { to: 'identity', why: 'outside of the aperture' }
      const { ENABLE } = decode(config, [BigInt(file.get(OFFSETS.CONFIG))])
      const value = BigInt(entries.get(Number(address & ~0xfffn)) ?? 0)
      const { VALID, PA } = decode(pageEntry, [value])
      note({ entry: pageEntry.name, address: undefined, words: [value], note: VALID === 1 ? 'page' : 'not valid' })
      if (ENABLE === 0 || VALID === 0) return { to: 'blocked', fault: INVALID }
      return { to: 'page', tag: 'aperture', denied: INVALID, leaf: { physical: PA, shift: 12, read: true, write: true } }
    },
    record({ address, access }) {
      file.set(OFFSETS.INTSTATUS, file.get(OFFSETS.INTSTATUS) | INTERRUPT_GART)
      file.set(OFFSETS.ERROR_REQ, Number(word(errorRequest, { WRITE: access === 'write' ? 1 : 0 })))
      file.set(OFFSETS.ERROR_ADR, Number(address))
    },
  }
}

export const createTegraGartMachine = (options: ModelOptions = {}): LegacyMachine => createMachine(createPart, { ...options, coherent: true })
