// The command queue: fetches commands, refuses illegal ones, carries out the others.
import { breaksReserved, decode, decodeField, describe, renderLine } from '@iommu/bits'
import type { Entry } from '@iommu/bits'
import { frameOf } from '@iommu/hardware'
import type { EventStream, Failures, PhysicalMemory } from '@iommu/hardware'
import { dropPages, dropTranslations } from '@iommu/page-table'
import {
  ATC_INV_ALL, atcInvCommand, CFGI_ALL_RANGE, cfgiCdAllCommand, cfgiCdCommand, cfgiSteCommand, cfgiSteRangeCommand, COMMAND_ERRORS,
  commands, OPCODES, prefetchAddressCommand, priRespCommand, syncCommand, tlbiNhAllCommand, tlbiNhAsidCommand, tlbiNhVaaCommand,
  tlbiNhVaCommand, tlbiS12VmallCommand, tlbiS2IpaCommand,
} from '../tables/index.js'
import type { Capabilities } from '../tables/index.js'
import { dropContexts, dropStreams, stage1Tag, vmidOf } from './caches.js'
import type { Caches } from './caches.js'

/** Where the queue is and how far it has come. Indexes have a wrap bit above them. */
export interface QueueState {
  base: bigint
  log2size: number
  enabled: boolean
  produced: number
  consumed: number
  /** ERR of CMDQ_CONS: why the queue has stopped; it goes on when software has acknowledged it. */
  error: number
  stopped: boolean
  /** An ATC invalidation since the last SYNC has not been answered. */
  unanswered: boolean
}

export const createQueueState = (): QueueState => ({
  base: 0n, log2size: 0, enabled: false, produced: 0, consumed: 0, error: COMMAND_ERRORS.none, stopped: false, unanswered: false,
})

/** What the queue acts on. */
export interface QueueTarget {
  readonly memory: PhysicalMemory
  readonly caches: Caches
  readonly capabilities: Capabilities
  readonly events: EventStream
  readonly failures: Failures
  /** A stopped queue tells GERROR. */
  stopped(): void
}

type Words = readonly bigint[]
/** False: illegal. */
type Effect = (words: Words) => boolean

/** Values of commands by address. */
export interface ByAddress {
  readonly Address: bigint
  readonly NUM: number
  readonly SCALE: number
  readonly TG: number
  readonly TTL: number
  readonly Leaf: number
}

const GRANULES = [0, 12, 14, 16] as const

/** First and last frame that a command by address names; without TG the page around it, of whatever size. */
export const pageRange = ({ Address, NUM, SCALE, TG }: ByAddress): readonly [first: number, last: number] => {
  const granule = GRANULES[TG] as number
  const pages = TG === 0 ? 1 : (NUM + 1) * 2 ** SCALE * 2 ** (granule - 12)
  return [frameOf(Address), frameOf(Address) + pages - 1]
}

/** First and last frame that an ATC_INV names. */
export const deviceRange = (Address: bigint, Size: number): readonly [first: number, last: number] => {
  if (Size >= ATC_INV_ALL) return [0, Infinity]
  const first = Math.floor(frameOf(Address) / 2 ** Size) * 2 ** Size
  return [first, first + 2 ** Size - 1]
}

const isIllegalRange = ({ NUM, SCALE, TG, TTL }: ByAddress, { rangeInvalidation }: Capabilities): boolean =>
  (rangeInvalidation ? TG !== 0 && NUM === 0 && SCALE === 0 && TTL === 0 : NUM !== 0 || SCALE !== 0 || TG !== 0 || TTL !== 0)

const everyTag = (): boolean => true

const effects = (target: QueueTarget): Readonly<Record<number, Effect>> => {
  const { caches, capabilities, failures } = target
  const { stage1, stage2 } = caches
  const pages = (translations: Caches['stage1'], d: ByAddress, matches: (tag: number) => boolean): boolean => {
    if (isIllegalRange(d, capabilities)) return false
    dropPages(translations, matches, ...pageRange(d), d.Leaf === 1)
    return true
  }
  const done = (): boolean => true
  return {
    [OPCODES.prefetchConfig]: done,
    [OPCODES.prefetchAddress]: (words) => decode(prefetchAddressCommand, words).Size <= ATC_INV_ALL,
    [OPCODES.cfgiSte](words) {
      const d = decode(cfgiSteCommand, words)
      dropStreams(caches, d.SID, d.SID, d.Leaf === 1)
      return true
    },
    [OPCODES.cfgiSteRange](words) {
      const d = decode(cfgiSteRangeCommand, words)
      const count = 2 ** (d.Range + 1)
      const first = d.Range === CFGI_ALL_RANGE ? 0 : Math.floor(d.SID / count) * count
      dropStreams(caches, first, d.Range === CFGI_ALL_RANGE ? Infinity : first + count - 1, false)
      return true
    },
    [OPCODES.cfgiCd](words) {
      const d = decode(cfgiCdCommand, words)
      dropContexts(caches, d.SID, d.SSID, d.Leaf === 1)
      return true
    },
    [OPCODES.cfgiCdAll](words) {
      dropContexts(caches, decode(cfgiCdAllCommand, words).SID, 'all', false)
      return true
    },
    [OPCODES.tlbiNhAll](words) {
      const d = decode(tlbiNhAllCommand, words)
      dropTranslations(stage1, (tag) => vmidOf(tag) === d.VMID)
      return capabilities.stage1
    },
    [OPCODES.tlbiNhAsid](words) {
      const d = decode(tlbiNhAsidCommand, words)
      dropTranslations(stage1, (tag) => tag === stage1Tag(d.VMID, d.ASID))
      return capabilities.stage1
    },
    [OPCODES.tlbiNhVa](words) {
      const d = decode(tlbiNhVaCommand, words)
      return capabilities.stage1 && pages(stage1, d, (tag) => tag === stage1Tag(d.VMID, d.ASID))
    },
    [OPCODES.tlbiNhVaa](words) {
      const d = decode(tlbiNhVaaCommand, words)
      return capabilities.stage1 && pages(stage1, d, (tag) => vmidOf(tag) === d.VMID)
    },
    [OPCODES.tlbiS12Vmall](words) {
      const d = decode(tlbiS12VmallCommand, words)
      dropTranslations(stage1, (tag) => vmidOf(tag) === d.VMID)
      dropTranslations(stage2, (tag) => tag === d.VMID)
      return capabilities.stage2
    },
    [OPCODES.tlbiS2Ipa](words) {
      const d = decode(tlbiS2IpaCommand, words)
      return capabilities.stage2 && pages(stage2, d, (tag) => tag === d.VMID)
    },
    [OPCODES.tlbiNsnhAll]() {
      dropTranslations(stage1, everyTag)
      dropTranslations(stage2, everyTag)
      return true
    },
    // EL2 is not modelled; without IDR0.HYP its commands are illegal.
    [OPCODES.tlbiEl2All]: () => capabilities.hypervisor,
    [OPCODES.tlbiEl2Asid]: () => capabilities.hypervisor,
    [OPCODES.tlbiEl2Va]: () => capabilities.hypervisor,
    [OPCODES.tlbiEl2Vaa]: () => capabilities.hypervisor,
    [OPCODES.atcInv](words) {
      const d = decode(atcInvCommand, words)
      if (!capabilities.ats || d.Size > ATC_INV_ALL) return false
      if (failures.isDeaf(d.SID)) return true
      const pasid = d.SSV === 1 ? d.SSID : 0
      caches.devices.get(d.SID)?.dropRange(d.Global === 1 ? everyTag : (tag) => tag === pasid, ...deviceRange(d.Address, d.Size))
      return true
    },
    [OPCODES.priResp]: (words) => capabilities.pri && decode(priRespCommand, words).Resp !== 3,
    [OPCODES.resume]: () => capabilities.stalls !== 'never',
    [OPCODES.stallTerm]: () => capabilities.stalls !== 'never',
    [OPCODES.sync]: (words) => decode(syncCommand, words).CS !== 3,
  }
}

/** The opcode of a command. */
export const opcodeOf = (words: Words): number => decodeField(syncCommand, words, 'Opcode')

/** The layout of a command, or undefined for an opcode that there is not. */
export const commandLayout = (words: Words): Entry | undefined => (commands as Readonly<Record<number, Entry>>)[opcodeOf(words)]

/** What works through the queue, or until an error or a SYNC that never completes stops it. */
export const createQueueRunner = (state: QueueState, target: QueueTarget): (() => void) => {
  const act = effects(target)
  return () => runQueue(state, target, act)
}

const runQueue = (state: QueueState, target: QueueTarget, act: Readonly<Record<number, Effect>>): void => {
  const { memory, failures, events } = target
  const size = 2 ** state.log2size
  const stop = (error: number): void => {
    state.error = error
    state.stopped = true
    target.stopped()
  }
  while (state.enabled && !state.stopped && state.consumed !== state.produced) {
    const at = state.base + BigInt(state.consumed % size) * 16n
    if (!memory.walker.has(frameOf(at))) return stop(COMMAND_ERRORS.abort)
    const words = [memory.walker.load64(at), memory.walker.load64(at + 8n)]
    const opcode = opcodeOf(words)
    const layout = commandLayout(words)
    if (opcode === OPCODES.sync && failures.completionsNever) return
    // Whether reserved bits that are set make a command illegal is the implementation's choice; here they do.
    if (failures.refuseCommand() || layout === undefined || breaksReserved(layout, words) || !(act[opcode] as Effect)(words)) {
      return stop(COMMAND_ERRORS.illegal)
    }
    const source = opcode === OPCODES.atcInv ? decode(atcInvCommand, words).SID : undefined
    if (source !== undefined && failures.isDeaf(source)) state.unanswered = true
    if (opcode === OPCODES.sync && state.unanswered) {
      state.unanswered = false
      return stop(COMMAND_ERRORS.atcInvSync)
    }
    state.consumed = (state.consumed + 1) % (2 * size)
    if (events.listeners !== null) {
      events.emit({
        kind: 'command', name: layout.name, words, text: renderLine(describe(layout, words)), ...(source === undefined ? {} : { deviceTlb: source }),
      })
    }
  }
}
