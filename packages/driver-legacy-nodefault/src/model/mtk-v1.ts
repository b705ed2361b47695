// MediaTek M4U, first generation, as hardware: a port's switch, then the one table.
import { decode } from '@iommu/bits'
import { interrupts, INVALIDATE_ALL, INVALIDATE_RANGE, mtkShape, OFFSETS, portBits, portSwitch } from '../tables/mtk-v1.js'
import { word } from '../tables/words.js'
import { createMachine } from './machine.js'
import type { LegacyMachine, ModelOptions } from './machine.js'
import { fault } from './part.js'
import type { Inside, Part } from './part.js'
import { createRegisterFile } from './registers.js'

/** The access goes to the protect page, which is nobody's. */
const TRANSLATION = fault(Number(word(interrupts, { TRANSLATION: 1 })), 'translation fault, sent to the protect page')
const CLEAR = Number(word(interrupts, { CLEAR: 1 }))

const createPart = ({ translations, failures }: Inside): Part => {
  const invalidate = (value: bigint): void => {
    if (value === INVALIDATE_ALL) return void translations.dropTags(() => true)
    if (value !== INVALIDATE_RANGE || failures.completionsNever) return
    translations.dropRange(() => true, file.get(OFFSETS.INVLD_START) >>> 12, file.get(OFFSETS.INVLD_END) >>> 12)
    file.set(OFFSETS.CPE_DONE, 1)
  }
  const file = createRegisterFile({}, (offset, value) => {
    switch (offset) {
      case OFFSETS.INVALIDATE: return invalidate(BigInt(value))
      case OFFSETS.INT_CONTROL: {
        if ((value & CLEAR) === 0) return undefined
        file.set(OFFSETS.FAULT_ST, 0)
        return value & ~CLEAR
      }
      default: return undefined
    }
  })
  return {
    busBits: 32,
    registers: file,
    route({ source }, note) {
      const { offset, shift } = portSwitch(source)
      const value = (BigInt(file.get(offset)) >> shift) & 0xfn
      const { VIRT } = decode(portBits, [value])
      note({ entry: portBits.name, address: undefined, words: [value], note: VIRT === 1 ? 'through the M4U' : 'passes' })
      if (VIRT === 0) return { to: 'identity', why: 'port passes' }
      return {
        to: 'tables', shape: mtkShape, root: BigInt(file.get(OFFSETS.PT_BASE)), tag: 0, named: 'M4U', read: true, write: true,
        absent: TRANSLATION, denied: TRANSLATION, invalid: TRANSLATION,
      }
    },
    record({ address }, { code }) {
      file.set(OFFSETS.FAULT_ST, code)
      file.set(OFFSETS.FAULT_VA, Number(address & ~0xfffn))
    },
  }
}

export const createMtkV1Machine = (options: ModelOptions = {}): LegacyMachine => createMachine(createPart, { ...options, coherent: true })
