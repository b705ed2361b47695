// Freescale PAMU as hardware: the entry of a LIODN, its window, its permissions.
import { decode } from '@iommu/bits'
import {
  ADDRESS_BITS, BYPASS_FIRST, control, entryOf, FORM, OFFSETS, paace, PAACE_BYTES, PERMISSIONS, TRANSLATION, violation, VIOLATION_STATUS,
} from '../tables/fsl-pamu.js'
import { loadWord, word } from '../tables/words.js'
import { createMachine } from './machine.js'
import type { LegacyMachine, ModelOptions } from './machine.js'
import { fault } from './part.js'
import type { Inside, Part } from './part.js'
import { createRegisterFile } from './registers.js'

const UNKNOWN = fault(Number(word(violation, { AV: 1, LAV: 1 })), 'LIODN not in the primary table')
const VIOLATION = fault(Number(word(violation, { AV: 1 })), 'access violation')

const createPart = ({ memory }: Inside): Part => {
  const file = createRegisterFile({ [OFFSETS.PAMUBYPENR]: BYPASS_FIRST }, (offset, value) => {
    // The status bit is cleared by writing a one; the rest of PICS is kept.
    if (offset === OFFSETS.PICS) return (file.get(offset) & VIOLATION_STATUS & ~value) | (value & ~VIOLATION_STATUS)
    if (offset === OFFSETS.AVS1) return file.get(offset) & ~value
    return undefined
  })
  const at = (high: number, low: number): bigint => (BigInt(file.get(high)) << 32n) + BigInt(file.get(low))
  return {
    busBits: ADDRESS_BITS,
    registers: file,
    route({ source, address }, note) {
      if ((file.get(OFFSETS.PAMUBYPENR) & BYPASS_FIRST) !== 0) return { to: 'identity', why: 'PAMU bypassed' }
      const { PE } = decode(control, [BigInt(file.get(OFFSETS.PC))])
      if (PE === 0) return { to: 'identity', why: 'PAMU off' }
      const entry = entryOf(at(OFFSETS.PPBAH, OFFSETS.PPBAL), source)
      if (entry + BigInt(PAACE_BYTES) > at(OFFSETS.PPLAH, OFFSETS.PPLAL)) return { to: 'blocked', fault: UNKNOWN }
      const words = Array.from({ length: PAACE_BYTES / FORM.bytes }, (_, index) =>
        loadWord(memory.walker, entry + BigInt(index * FORM.bytes), FORM))
      const e = decode(paace, words)
      note({ entry: paace.name, address: entry, words: words.slice(0, 8), note: e.V === 1 ? `window of 2^${e.WSE + 1} bytes` : 'not valid' })
      // Sub-windows, pages and entries to I/O are never made here, and what hardware makes of them is not known.
      if (e.V === 0 || e.MW === 1 || e.PT === 1 || e.DD === 1 || e.ATM > TRANSLATION.window) return { to: 'blocked', fault: VIOLATION }
      const base = (BigInt(e.WBAH) << 32n) + (BigInt(e.WBAL) << 12n)
      if (address >> BigInt(e.WSE + 1) !== base >> BigInt(e.WSE + 1)) return { to: 'blocked', fault: VIOLATION }
      const physical = e.ATM === TRANSLATION.window ? (BigInt(e.TWBAH) << 32n) + (BigInt(e.TWBAL) << 12n) : base
      return {
        to: 'page', tag: `LIODN ${source}`, denied: VIOLATION,
        leaf: { physical, shift: e.WSE + 1, read: (e.AP & PERMISSIONS.read) !== 0, write: (e.AP & PERMISSIONS.write) !== 0 },
      }
    },
    record({ source, address }, { code }) {
      file.set(OFFSETS.AVS1, code | (source << 16))
      file.set(OFFSETS.AVAH, Number(address >> 32n))
      file.set(OFFSETS.AVAL, Number(BigInt.asUintN(32, address)))
      file.set(OFFSETS.PICS, file.get(OFFSETS.PICS) | VIOLATION_STATUS)
    },
  }
}

export const createFslPamuMachine = (options: ModelOptions = {}): LegacyMachine => createMachine(createPart, { ...options, coherent: true })
