// Qualcomm's first SMMU as hardware: a machine id names a bank, and the bank says the rest.
import { decode } from '@iommu/bits'
import { CONTEXT, contextOf, contextOffset, faultStatus, GLOBAL, msmShape, pageInvalidation, routing, systemControl, tableBase } from '../tables/msm.js'
import { word } from '../tables/words.js'
import { createMachine } from './machine.js'
import type { LegacyMachine, ModelOptions } from './machine.js'
import { fault } from './part.js'
import type { Inside, Part } from './part.js'
import { createRegisterFile } from './registers.js'

const TRANSLATION = fault(Number(word(faultStatus, { TF: 1 })), 'translation fault')
const PERMISSION = fault(Number(word(faultStatus, { APF: 1 })), 'access permission fault')

const createPart = ({ translations }: Inside): Part => {
  const file = createRegisterFile({}, (offset, value) => {
    const context = contextOf(offset)
    if (context === undefined) return undefined
    const mine = (tag: number): boolean => tag === context.bank
    switch (context.offset) {
      case CONTEXT.CTX_TLBIALL: return void translations.dropTags(mine)
      case CONTEXT.TLBIVA: {
        const { VA, ASID } = decode(pageInvalidation, [BigInt(value)])
        const frame = Number(VA >> 12n)
        return void translations.dropRange((tag) => mine(tag) && file.get(contextOffset(tag, 'CONTEXTIDR')) === ASID, frame, frame)
      }
      // Ones clear; bits that say nothing are not kept.
      case CONTEXT.FSR: return file.get(offset) & ~value
      default: return undefined
    }
  })
  const bankOf = (mid: number): number => decode(routing, [BigInt(file.get(GLOBAL.M2VCBR + mid * 4))]).CBNDX
  return {
    busBits: 32,
    registers: file,
    route({ source }, note) {
      const bank = bankOf(source)
      note({ entry: routing.name, address: undefined, words: [BigInt(file.get(GLOBAL.M2VCBR + source * 4))], note: `context bank ${bank}` })
      const value = BigInt(file.get(contextOffset(bank, 'SCTLR')))
      const { M } = decode(systemControl, [value])
      note({ entry: systemControl.name, address: undefined, words: [value], note: M === 1 ? 'translation on' : 'translation off' })
      if (M === 0) return { to: 'identity', why: 'context bank off' }
      const { PA } = decode(tableBase, [BigInt(file.get(contextOffset(bank, 'TTBR0')))])
      return {
        to: 'tables', shape: msmShape, root: PA, tag: bank, named: `context bank ${bank}`, read: true, write: true,
        absent: TRANSLATION, denied: PERMISSION, invalid: TRANSLATION,
      }
    },
    record({ source, address }, { code }) {
      const bank = bankOf(source)
      file.set(contextOffset(bank, 'FSR'), file.get(contextOffset(bank, 'FSR')) | code)
      file.set(contextOffset(bank, 'FAR'), Number(address))
    },
  }
}

export const createMsmMachine = (options: ModelOptions = {}): LegacyMachine => createMachine(createPart, { ...options, coherent: false })
