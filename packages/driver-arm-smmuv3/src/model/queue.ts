// The command queue: fetches commands, refuses illegal ones, carries out the others.
import { breaksReserved, decode, describe, renderLine } from '@iommu/bits'
import { frameOf } from '@iommu/hardware'
import type { EventStream, Failures, PhysicalMemory } from '@iommu/hardware'
import {
  ATC_INV_ALL, atcInvCommand, COMMAND_ERRORS, commandLayout, opcodeOf, OPCODES, prefetchAddressCommand, priRespCommand, syncCommand,
  tlbiNhVaaCommand, tlbiNhVaCommand, tlbiS2IpaCommand,
} from '../tables/index.js'
import type { Capabilities } from '../tables/index.js'
import { forget } from './caches.js'
import type { Caches } from './caches.js'
import { drops } from './drops.js'
import type { ByAddress } from './drops.js'

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

const isLegalRange = ({ NUM, SCALE, TG, TTL }: ByAddress, { rangeInvalidation }: Capabilities): boolean =>
  (rangeInvalidation ? TG === 0 || NUM !== 0 || SCALE !== 0 || TTL !== 0 : NUM === 0 && SCALE === 0 && TG === 0 && TTL === 0)

/** Whether the SMMU takes a command, beyond its reserved bits. */
const isLegal = (opcode: number, words: Words, capabilities: Capabilities): boolean => {
  const { stage1, stage2, hypervisor, ats, pri, stalls } = capabilities
  switch (opcode) {
    case OPCODES.prefetchAddress: return decode(prefetchAddressCommand, words).Size <= ATC_INV_ALL
    case OPCODES.tlbiNhAll: case OPCODES.tlbiNhAsid: return stage1
    case OPCODES.tlbiNhVa: return stage1 && isLegalRange(decode(tlbiNhVaCommand, words), capabilities)
    case OPCODES.tlbiNhVaa: return stage1 && isLegalRange(decode(tlbiNhVaaCommand, words), capabilities)
    case OPCODES.tlbiS12Vmall: return stage2
    case OPCODES.tlbiS2Ipa: return stage2 && isLegalRange(decode(tlbiS2IpaCommand, words), capabilities)
    // EL2 is not modelled; without IDR0.HYP its commands are illegal.
    case OPCODES.tlbiEl2All: case OPCODES.tlbiEl2Asid: case OPCODES.tlbiEl2Va: case OPCODES.tlbiEl2Vaa: return hypervisor
    case OPCODES.atcInv: return ats && decode(atcInvCommand, words).Size <= ATC_INV_ALL
    case OPCODES.priResp: return pri && decode(priRespCommand, words).Resp !== 3
    case OPCODES.resume: case OPCODES.stallTerm: return stalls !== 'never'
    case OPCODES.sync: return decode(syncCommand, words).CS !== 3
    default: return true
  }
}

/** Works through the queue, or until an error or a SYNC that never completes stops it. */
export const runQueue = (state: QueueState, target: QueueTarget): void => {
  const { memory, caches, capabilities, failures, events } = target
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
    if (failures.refuseCommand() || layout === undefined || breaksReserved(layout, words) || !isLegal(opcode, words, capabilities)) {
      return stop(COMMAND_ERRORS.illegal)
    }
    const source = opcode === OPCODES.atcInv ? decode(atcInvCommand, words).SID : undefined
    const dropped = drops[opcode]
    if (source !== undefined && failures.isDeaf(source)) state.unanswered = true
    else if (dropped !== undefined) forget(caches, dropped.names(words))
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
