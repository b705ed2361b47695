// The lens: QEMU's SMMU has no SSIDs, and sees one context of a CD table at a time, as a stream's only one.
//
//   STE: S1CDMax, S1Fmt, S1ContextPtr ─▶ CD table ─▶ the SSID's CD       as it is written
//   STE: S1CDMax=0, S1ContextPtr ───────────────────▶ the same CD        while QEMU is asked
//
// What the SMMU looks at before it takes an SSID, S1DSS, S1Fmt and level 1 of a CD table, is not seen so.
import { decode, encode } from '@iommu/bits'
import { cfgiSteCommand, OPCODES } from '@iommu/driver-arm-smmuv3/queues'
import { idr0, idr1, OFFSETS, streamTableBase, streamTableConfig } from '@iommu/driver-arm-smmuv3/registers'
import { levelOneContext, levelOneStream, streamEntry } from '@iommu/driver-arm-smmuv3/tables'
import { createEndpoints, createEventStream, frameOf } from '@iommu/hardware'
import type { Machine } from '@iommu/hardware'
import type { Board, QemuMachine } from '@iommu/machine-qemu'
import { SOURCES } from './generate.js'
import { queue } from './install.js'
import { ask } from '../subject.js'
import type { Answer, Lens, Probe } from '../subject.js'

/** SSIDs that the models have, and that drivers are shown: some tables are one array, and some have leaves. */
export const SSID_BITS = 12

const WORDS = 8
const STREAM_BYTES = 64
const CONTEXT_BYTES = 64
/** log2 of the contexts of a leaf, as S1Fmt says. */
const LEAF_BITS = [0, 6, 10]

/** The machine with SSIDs in its identification registers, and devices that have PASIDs of so many bits. */
export const withSubstreams = <M extends Machine>(machine: M, pasidWidth: number): M => {
  const { registers } = machine
  const shown: Machine['registers'] = {
    ...registers,
    read32(offset) {
      const word = BigInt(registers.read32(offset) >>> 0)
      if (offset === OFFSETS.IDR0) return Number(encode(idr0, { CD2L: 1 }, [word])[0])
      return Number(offset === OFFSETS.IDR1 ? encode(idr1, { SSIDSIZE: SSID_BITS }, [word])[0] : word)
    },
  }
  const endpoint = createEndpoints(new Map(SOURCES.map((source) => [source, { pasidWidth }])), createEventStream())
  return Object.create(machine, { registers: { value: shown }, endpoint: { value: endpoint } }) as M
}

/** Where the entry of a stream is; undefined where memory has none. */
const streamAt = ({ memory, registers }: QemuMachine, source: number): bigint | undefined => {
  const { ADDR } = decode(streamTableBase, [registers.read64(OFFSETS.STRTAB_BASE)])
  const { FMT, SPLIT } = decode(streamTableConfig, [BigInt(registers.read32(OFFSETS.STRTAB_BASE_CFG) >>> 0)])
  if (FMT === 0) return ADDR + BigInt(source * STREAM_BYTES)
  const { L2Ptr } = decode(levelOneStream, [memory.load64(ADDR + BigInt((source >> SPLIT) * 8))])
  const at = L2Ptr + BigInt((source & (2 ** SPLIT - 1)) * STREAM_BYTES)
  return memory.has(frameOf(at)) ? at : undefined
}

/** Where the context of an SSID is. Throws RangeError where level 1 of the table leads to none. */
const contextAt = ({ memory }: QemuMachine, table: bigint, leafBits: number, ssid: number): bigint => {
  if (leafBits === 0) return table + BigInt(ssid * CONTEXT_BYTES)
  const { V, L2Ptr } = decode(levelOneContext, [memory.load64(table + BigInt((ssid >> leafBits) * 8))])
  if (V === 0) throw new RangeError(`no leaf of the CD table has SSID 0x${ssid.toString(16)}: QEMU cannot be shown a context`)
  return L2Ptr + BigInt((ssid & (2 ** leafBits - 1)) * CONTEXT_BYTES)
}

/** Stores an entry, which is fetched anew from then on. */
const change = (machine: QemuMachine, at: bigint, words: readonly bigint[], SID: number): void => {
  words.forEach((word, index) => machine.memory.store64(at + BigInt(index * 8), word))
  queue(machine, [encode(cfgiSteCommand, { Opcode: OPCODES.cfgiSte, SID, Leaf: 1 })])
}

const seeing = (machine: QemuMachine, board: Board, { pasid, ...probe }: Probe): Answer => {
  const at = pasid === undefined ? undefined : streamAt(machine, probe.source)
  if (pasid === undefined || at === undefined) return ask(machine, board, probe)
  const words = Array.from({ length: WORDS }, (_, index) => machine.memory.load64(at + BigInt(index * 8)))
  const { S1Fmt, S1ContextPtr } = decode(streamEntry, words)
  const context = contextAt(machine, S1ContextPtr, LEAF_BITS[S1Fmt] ?? 0, pasid)
  change(machine, at, encode(streamEntry, { S1CDMax: 0, S1Fmt: 0, S1DSS: 0, S1ContextPtr: context }, words), probe.source)
  const answer = ask(machine, board, probe)
  change(machine, at, words, probe.source)
  return answer
}

/** Events through the lens are those of requests without SSID. */
export const lens: Lens = {
  ask: seeing,
  shows: (answer) => ({
    ...answer, records: answer.records.map((each) => (each.fields['SSV'] === undefined ? each : { ...each, fields: { ...each.fields, SSV: 0, SSID: 0 } })),
  }),
}
