// Compares what this package says of a capture with what Linux said. Returns counts, and every difference as a line.
import { inspect, walkCapture } from '../src/index.js'
import type { Capture, Inspection, WalkQuestion, WalkResult } from '../src/index.js'
import { captureAt, expectedAt, readTruth } from './recorded.js'
import type { Mapping, Truth } from './recorded.js'

export interface Comparison {
  devices: number
  debugfs: number
  pasidEntries: number
  vfio: number
  dmaApi: number
  traced: number
  /** Devices in an effect that is not "translated". */
  others: number
  readonly different: string[]
}

export const nothing = (): Comparison =>
  ({ devices: 0, debugfs: 0, pasidEntries: 0, vfio: 0, dmaApi: 0, traced: 0, others: 0, different: [] })

/** Adds the counts, and the differences. */
export const addTo = (into: Comparison, { different, ...counts }: Comparison): void => {
  for (const [name, count] of Object.entries(counts) as [keyof typeof counts, number][]) into[name] += count
  into.different.push(...different)
}

/** Leaves that have no read bit: what may be written may be read too. */
const WRITE_IS_READ: readonly string[] = ['vtd.fs', 'smmuv3.s1']

const hex = (value: bigint): string => `0x${value.toString(16)}`

const requester = ({ devices }: Capture, bdf: string): number =>
  (devices.find((device) => device.bdf === bdf) as { requesterId: number }).requesterId

/** The answer to a read; to a write where only that is allowed. */
const ask = (capture: Capture, question: Omit<WalkQuestion, 'access'>): WalkResult => {
  const read = walkCapture(capture, { ...question, access: 'read' })
  return read.outcome === 'translated' ? read : walkCapture(capture, { ...question, access: 'write' })
}

const compareMapping = (
  capture: Capture,
  what: string,
  { device, pasid, iova, physical, size, read, write }: Mapping,
  into: Comparison,
): void => {
  const source = requester(capture, device)
  for (const at of size > 0x1000n ? [iova, iova + size - 1n] : [iova]) {
    const { outcome, address, permissions, steps } = ask(capture, {
      source,
      iova: at,
      ...(pasid === undefined ? {} : { pasid }),
    })
    const expected = hex(physical + at - iova)
    if (outcome !== 'translated' || address !== expected) {
      into.different.push(`${what} ${device} ${hex(at)}: ${outcome} ${address ?? ''}, Linux ${expected}`)
      continue
    }
    const wrongWrite = write !== undefined && permissions?.write !== write
    const readable = read === false && steps.some(({ entry }) => WRITE_IS_READ.includes(entry)) ? true : read
    const wrongRead = readable !== undefined && permissions?.read !== readable
    if (wrongWrite || wrongRead)
      into.different.push(`${what} ${device} ${hex(at)}: ${JSON.stringify(permissions)}, Linux ${read} ${write}`)
  }
}

/** One device of each domain that page tables translate. */
const oneOfEach = ({ devices }: Inspection): { requesterId: string; pasid?: number }[] => {
  const domains = new Map<number, { requesterId: string; pasid?: number }>()
  for (const { requesterId, effect, domainId, pasids } of devices) {
    if (effect === 'translated' && domainId !== undefined && !domains.has(domainId))
      domains.set(domainId, { requesterId })
    for (const each of pasids)
      if (each.domainId !== undefined) domains.set(each.domainId, { requesterId, pasid: each.pasid })
  }
  return [...domains.values()]
}

/**
 * Interrupts of Arm machines are written to a page that a domain maps once and keeps as long as it lives: it is not seen
 * where its device is on another domain just now.
 */
const DOORBELL = 0x809_0000n
const elsewhere = (folder: string): number =>
  expectedAt(folder).filter(({ currentDomain }) => !/^default domain of the group \(DMA/.test(currentDomain)).length

/** Every traced page that is still mapped translates, in as many domains as there are live maps, to what was mapped. */
const compareTraced = (
  capture: Capture, inspection: Inspection, { traced }: Truth, away: number, into: Comparison,
): void => {
  const asked = oneOfEach(inspection)
  for (const { iova, physicals, live } of traced) {
    const addresses = asked.flatMap(({ requesterId, pasid }) => {
      const found = ask(capture, { source: Number(requesterId), iova, ...(pasid === undefined ? {} : { pasid }) })
      return found.outcome === 'translated' ? [BigInt(found.address as string)] : []
    })
    into.traced += live
    const strange = addresses.filter((address) => !physicals.includes(address))
    const unseen = live - addresses.length
    const mayBeUnseen = physicals.every((physical) => physical === DOORBELL) ? away : 0
    if (unseen < 0 || unseen > mayBeUnseen || strange.length > 0) {
      into.different.push(
        `trace ${hex(iova)}: ${addresses.map(hex).join(' ')}, Linux ${live} of ${physicals.map(hex).join(' ')}`,
      )
    }
  }
}

const comparePasidEntries = (inspection: Inspection, { pasidEntries }: Truth, into: Comparison): void => {
  for (const { device, pasid, words } of pasidEntries) {
    if (pasid === 0) continue
    into.pasidEntries++
    const found = inspection.devices.find(({ bdf }) => bdf === device)?.pasids.find((each) => each.pasid === pasid)
    const domainId = Number((words[1] as bigint) & 0xffffn)
    if (found?.effect !== 'translated' || found.domainId !== domainId)
      into.different.push(`${device} PASID ${pasid}: ${found?.effect}, Linux domain ${domainId}`)
  }
}

export const compareCapture = async (folder: string, into: Comparison, given?: Capture): Promise<void> => {
  const capture = given ?? await captureAt(folder)
  const inspection = inspect(capture)
  for (const { bdf, expectedEffect } of expectedAt(folder)) {
    const effect = inspection.devices.find((device) => device.bdf === bdf)?.effect
    into.devices++
    if (effect !== 'translated') into.others++
    if (effect !== expectedEffect) into.different.push(`${folder} ${bdf}: ${effect}, Linux ${expectedEffect}`)
  }
  const truth = readTruth(folder)
  const current = (mapping: Mapping): boolean =>
    inspection.devices.some(({ bdf, effect }) => bdf === mapping.device && effect !== 'blocked')
  for (const mapping of truth.debugfs) compareMapping(capture, 'debugfs', mapping, into)
  into.debugfs += truth.debugfs.length
  const vfio = folder.includes('edu-vfio') || folder.includes('edu-faulted') ? truth.vfio : []
  for (const mapping of vfio) compareMapping(capture, 'vfio', mapping, into)
  into.vfio += vfio.length
  const dmaApi = truth.dmaApi.filter(current)
  for (const mapping of dmaApi) compareMapping(capture, 'dma-api', mapping, into)
  into.dmaApi += dmaApi.length
  compareTraced(capture, inspection, truth, elsewhere(folder), into)
  comparePasidEntries(inspection, truth, into)
}
