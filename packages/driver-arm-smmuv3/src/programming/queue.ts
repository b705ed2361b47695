// The command queue from the driver's side: submit, wait for a SYNC, recover.
import { decode, encode } from '@iommu/bits'
import { IommuError } from '@iommu/core'
import { frameAddress, storeWords } from '@iommu/hardware'
import type { Machine } from '@iommu/hardware'
import { COMMAND_ERRORS, commandQueueIndex, globalError, OFFSETS } from '../tables/index.js'
import type { Capabilities } from '../tables/index.js'
import { sync } from './invalidate.js'
import type { Command } from './plan.js'

/** log2 of the entries: one page. */
const LOG2_SIZE = 8
const COMMAND_BYTES = 16
/** Commands per submission (Linux batches as many), where the queue has room for them and a SYNC. */
const BATCH = 64

/** Submissions are complete when `submit` returns. */
export interface CommandQueue {
  readonly base: bigint
  readonly log2size: number
  /**
   * Queues the commands and a SYNC, and waits. Throws ENODEV where completion never comes, where a device does not
   * answer, or where hardware refuses a command. The queue can be used again afterwards.
   */
  submit(commands: readonly Command[]): void
}

/** undefined where there is no memory. */
export const createQueue = (machine: Machine, { commandQueue, coherent }: Capabilities): CommandQueue | undefined => {
  const { memory, registers } = machine
  const frame = memory.pages.allocate()
  if (frame === undefined) return undefined
  const base = frameAddress(frame)
  const log2size = Math.min(LOG2_SIZE, commandQueue)
  const entries = 2 ** log2size
  /** Indexes have a wrap bit above them: they count to twice the size. */
  const both = entries * 2
  const most = Math.min(BATCH, entries - 1)
  let produced = 0

  const put = (index: number, command: Command): void => {
    const at = base + BigInt((index % entries) * COMMAND_BYTES)
    storeWords(memory, at, command)
    if (!coherent) memory.writeBack(at, COMMAND_BYTES)
  }
  const consumed = (): { INDEX: number; ERR: number } => decode(commandQueueIndex, [BigInt(registers.read32(OFFSETS.CMDQ_CONS))])
  const waiting = (index: number): number => (produced - index + both) % both
  const stopped = (): boolean => {
    const active = registers.read32(OFFSETS.GERROR) ^ registers.read32(OFFSETS.GERRORN)
    return decode(globalError, [BigInt(active >>> 0)]).CMDQ === 1
  }
  /**
   * Sets a stopped queue going again: an illegal command becomes a SYNC first. After a device that did not answer the
   * SYNC is simply taken once more.
   */
  const recover = (): number => {
    const { INDEX, ERR } = consumed()
    if (ERR === COMMAND_ERRORS.illegal) put(INDEX, sync())
    const [bit] = encode(globalError, { CMDQ: 1 })
    registers.write32(OFFSETS.GERRORN, registers.read32(OFFSETS.GERRORN) ^ Number(bit))
    return ERR
  }
  const explain = (ERR: number, index: number): IommuError => {
    if (ERR === COMMAND_ERRORS.illegal) return new IommuError('ENODEV', 'the SMMU refused a command as illegal', { index })
    if (ERR === COMMAND_ERRORS.atcInvSync) return new IommuError('ENODEV', 'a device did not answer the invalidation of its TLB')
    return new IommuError('ENODEV', 'the SMMU cannot read its command queue', { index, error: ERR })
  }
  const submitBatch = (commands: readonly Command[]): void => {
    const batch = [...commands, sync()]
    if (waiting(consumed().INDEX) + batch.length > entries) {
      throw new IommuError('ENODEV', 'the command queue is full and does not drain', { consumed: consumed().INDEX, produced })
    }
    for (const each of batch) {
      put(produced, each)
      produced = (produced + 1) % both
    }
    memory.order()
    registers.write32(OFFSETS.CMDQ_PROD, produced)
    let failed: IommuError | undefined
    for (;;) {
      const { done } = registers.poll(() => consumed().INDEX, (index) => index === produced || stopped())
      if (!stopped()) {
        if (failed !== undefined) throw failed
        if (done) return
        throw new IommuError('ENODEV', 'the SMMU does not complete commands', { produced, consumed: consumed().INDEX })
      }
      const { INDEX } = consumed()
      const error = recover()
      failed ??= explain(error, INDEX)
      if (error === COMMAND_ERRORS.abort) throw failed
    }
  }

  return {
    base,
    log2size,
    submit(commands) {
      for (let at = 0; at === 0 || at < commands.length; at += most) submitBatch(commands.slice(at, at + most))
    },
  }
}
