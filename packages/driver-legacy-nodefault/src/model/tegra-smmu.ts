// Tegra30 SMMU as hardware: clients, ASIDs, the page table cache, and the TLB.
import { decode } from '@iommu/bits'
import {
  asidRegister, clientEnable, config, errorStatus, INTERRUPT_PAGE, INVALID_PAGE, LINE_BYTES, MATCH, pageDirectoryBase, ptcFlush,
  REGISTERS, swgroupOf, SWGROUPS, tegraShape, tlbFlush,
} from '../tables/tegra-smmu.js'
import { word } from '../tables/words.js'
import { createMachine } from './machine.js'
import type { LegacyMachine, ModelOptions } from './machine.js'
import { createLineCache, fault } from './part.js'
import type { Inside, LineCache, Part } from './part.js'
import { createRegisterFile } from './registers.js'

const INVALID = fault(INVALID_PAGE, 'invalid SMMU page')

const createPart = ({ translations }: Inside, lines: LineCache): Part => {
  const directories = new Map<number, bigint>()
  const flushTlb = (value: number): void => {
    const { MATCH: match, VA, ASID, ASID_MATCH } = decode(tlbFlush, [BigInt(value)])
    const named = (tag: number): boolean => ASID_MATCH === 0 || tag === ASID
    if (match === MATCH.all) return void translations.dropTags(named)
    const shift = match === MATCH.section ? 22n : 14n
    const start = (VA >> shift) << shift
    translations.dropRange(named, Number(start >> 12n), Number((start + (1n << shift) - 1n) >> 12n))
  }
  const flushPtc = (value: number): void => {
    const { BY_ADDRESS, LINE } = decode(ptcFlush, [BigInt(value)])
    lines.drop(BY_ADDRESS === 1 ? LINE : undefined)
  }
  const file = createRegisterFile({}, (offset, value) => {
    switch (offset) {
      case REGISTERS.PTB_DATA.offset: return void directories.set(file.get(REGISTERS.PTB_ASID.offset), BigInt(value))
      case REGISTERS.TLB_FLUSH.offset: return flushTlb(value)
      case REGISTERS.PTC_FLUSH.offset: return flushPtc(value)
      case REGISTERS.INTSTATUS.offset: return file.get(offset) & ~value
      default: return undefined
    }
  })
  return {
    busBits: 32,
    registers: file,
    route({ source }, note) {
      const { ENABLE } = decode(config, [BigInt(file.get(REGISTERS.CONFIG.offset))])
      if (ENABLE === 0) return { to: 'identity', why: 'SMMU off' }
      const client = clientEnable(source)
      const group = swgroupOf(source)
      if (group === undefined || (BigInt(file.get(client.offset)) & client.bit) === 0n) return { to: 'identity', why: 'client bypasses' }
      const value = BigInt(file.get(SWGROUPS[group]))
      const { ASID, ENABLE: translates } = decode(asidRegister, [value])
      note({ entry: asidRegister.name, address: undefined, words: [value], note: translates === 1 ? `ASID ${ASID}` : 'bypass' })
      if (translates === 0) return { to: 'identity', why: 'group bypasses' }
      const base = directories.get(ASID) ?? 0n
      const { PFN, R, W } = decode(pageDirectoryBase, [base])
      note({ entry: pageDirectoryBase.name, address: undefined, words: [base], note: `page directory at 0x${PFN.toString(16)}` })
      return {
        to: 'tables', shape: tegraShape, root: PFN, tag: ASID, named: `ASID ${ASID}`, read: R === 1, write: W === 1,
        absent: INVALID, denied: INVALID, invalid: INVALID,
      }
    },
    record({ source, address, access }) {
      file.set(REGISTERS.INTSTATUS.offset, file.get(REGISTERS.INTSTATUS.offset) | INTERRUPT_PAGE)
      file.set(REGISTERS.ERR_STATUS.offset, Number(word(errorStatus, {
        TYPE: INVALID_PAGE, WRITE: access === 'write' ? 1 : 0, CLIENT: source, NONSECURE: 1,
      })))
      file.set(REGISTERS.ERR_ADR.offset, Number(address))
    },
  }
}

export const createTegraSmmuMachine = (options: ModelOptions = {}): LegacyMachine => {
  const lines = createLineCache(LINE_BYTES)
  return createMachine((inside) => createPart(inside, lines), { ...options, coherent: false, keeping: { lines, absent: false } })
}
