// What the tables make of one device id or PASID: identity, blocked, translated or invalid, and why.
import { causesOf, fetchDevice, fetchProcess, locateBy, Stopped } from '@iommu/driver-riscv/model'
import type { DeviceContext, Directory, Reader, Stage } from '@iommu/driver-riscv/model'
import { faultCauses } from '@iommu/driver-riscv/queues'
import { deviceSplit, splitLimit } from '@iommu/driver-riscv/tables'
import type { Step } from '@iommu/hardware'
import type { Capture } from '../capture.js'
import { hex } from '../spell.js'
import type { RequesterVerdict } from '../vendor.js'
import type { Verdict } from '../verdict.js'
import { titleOf } from './entries.js'
import { withoutGuestInterrupts } from './guest-interrupts.js'
import { presentPasids } from './pasids.js'
import type { RiscvUnit } from './unit.js'

/** Causes that mean "nobody set this up"; others that stop a fetch are entries that hardware refuses. */
const NOT_THERE: ReadonlySet<number> = new Set([258, 266])

const lastWord = (steps: readonly Step[]): string => {
  const step = steps[steps.length - 1]
  if (step === undefined) return 'the directory cannot be read'
  const at = step.address === undefined ? '' : ` at ${hex(step.address)}`
  return `${titleOf(step.entry)}${at}: ${step.note}`
}

const stopped = (error: unknown, steps: readonly Step[]): Verdict => {
  if (!(error instanceof Stopped)) throw error
  const { code } = error
  if (NOT_THERE.has(code)) return { effect: 'blocked', why: `${lastWord(steps)} (cause ${code})` }
  return { effect: 'invalid', why: `${lastWord(steps)}; ${faultCauses.get(code)?.meaning ?? 'unknown'} (cause ${code})` }
}

const ofStages = (first: Stage | 'bare', second: Stage | undefined, why: string): Verdict => {
  if (first === 'bare' && second === undefined) return { effect: 'identity', why }
  return { effect: 'translated', domainId: first === 'bare' ? (second as Stage).id : first.id, why }
}

const alone = (verdict: Verdict): RequesterVerdict => ({ verdict, pasids: [], judgePasid: () => verdict })

const byRegister = ({ directory: { mode }, capabilities: { extended } }: RiscvUnit, source: number): Verdict | undefined => {
  if (mode === 'off') return { effect: 'blocked', why: 'the unit is off (ddtp.MODE is 0) and refuses all DMA' }
  if (mode === 'bare') return { effect: 'identity', why: 'the unit is bare (ddtp.MODE is 1): requests pass, PASID or not' }
  if (source < splitLimit(deviceSplit(extended, mode))) return undefined
  return { effect: 'blocked', why: `the device id lies beyond a ${mode}-level directory (cause 260)` }
}

/** Where addresses of the process directory lie: a guest's, where there is a second stage. */
const locator = (unit: RiscvUnit, { second }: DeviceContext): ((address: bigint) => bigint) =>
  (second === undefined ? (address) => address : locateBy(unit.hardware(), unit.view, second, causesOf({ access: 'read' })))

const judgeProcess = (unit: RiscvUnit, device: DeviceContext, pasid: number): Verdict => {
  const steps: Step[] = []
  const reader: Reader = { view: unit.view, capabilities: unit.capabilities, steps, locate: locator(unit, device) }
  try {
    const { first } = fetchProcess(reader, device.processes as Directory, device.setsAccessed, pasid)
    return ofStages(first, device.second, lastWord(steps))
  } catch (error) {
    return stopped(error, steps)
  }
}

/** PASIDs as far as the second stage lets the process directory be read. */
const pasidsOf = (unit: RiscvUnit, device: DeviceContext): readonly number[] | undefined => {
  try {
    return presentPasids(unit.view, device.processes as Directory, locator(unit, device))
  } catch (error) {
    if (error instanceof Stopped) return undefined
    throw error
  }
}

/** The verdict on a device id, and on its PASIDs where it has any. Throws InputError for MSI page tables. */
export const judge = (unit: RiscvUnit, capture: Capture, source: number): RequesterVerdict => {
  const registers = byRegister(unit, source)
  if (registers !== undefined) return alone(registers)
  const steps: Step[] = []
  const { view, capabilities, directory: { mode, root } } = unit
  const fetch = (): DeviceContext => fetchDevice({ view, capabilities, steps }, root, mode as Exclude<typeof mode, string>, source)
  try {
    const device = withoutGuestInterrupts(capture, steps, fetch)
    const verdict = device.first === undefined
      ? judgeProcess(unit, device, 0) : ofStages(device.first, device.second, lastWord(steps))
    if (device.processes === undefined) return alone(verdict)
    const pasids = pasidsOf(unit, device)
    return {
      verdict,
      // Context 0 is that of requests without PASID.
      pasids: (pasids ?? []).filter((pasid) => pasid !== 0 || device.first !== undefined),
      judgePasid: (pasid) => judgeProcess(unit, device, pasid),
      ...(pasids === undefined ? { caution: 'the second stage does not map all of the process directory, so its PASIDs are not listed' } : {}),
    }
  } catch (error) {
    return alone(stopped(error, steps))
  }
}
