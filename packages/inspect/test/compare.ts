// Compares what this package says of a capture with what Linux said. Returns counts, and every difference as a line.
import { inspect, walkCapture } from '../src/index.js'
import type { Capture, Inspection } from '../src/index.js'
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

const hex = (value: bigint): string => `0x${value.toString(16)}`

const requester = ({ devices }: Capture, bdf: string): number =>
  (devices.find((device) => device.bdf === bdf) as { requesterId: number }).requesterId

const compareMapping = (capture: Capture, what: string, { device, pasid, iova, physical, size, read, write }: Mapping, into: Comparison): void => {
  const source = requester(capture, device)
  for (const at of size > 0x1000n ? [iova, iova + size - 1n] : [iova]) {
    const question = { source, iova: at, ...(pasid === undefined ? {} : { pasid }) }
    const answers = [
      { granted: read ?? true, result: walkCapture(capture, { ...question, access: write === true && read === false ? 'write' : 'read' }) },
    ]
    const [{ result }] = answers as [typeof answers[number]]
    const expected = hex(physical + at - iova)
    if (result.outcome !== 'translated' || result.address !== expected) {
      into.different.push(`${what} ${device} ${hex(at)}: ${result.outcome} ${result.address ?? ''}, Linux ${expected}`)
    }
    if (write !== undefined && result.permissions?.write !== write) {
      // The first stage has no write-only and no other difference: a right to read comes with every page.
      into.different.push(`${what} ${device} ${hex(at)}: write ${result.permissions?.write}, Linux ${write}`)
    }
    if (read === false && result.permissions?.read === true && result.steps.every(({ entry }) => entry !== 'vtd.fs')) {
      into.different.push(`${what} ${device} ${hex(at)}: may be read, Linux says it may not`)
    }
  }
}

/** One device of each domain that page tables translate. */
const oneOfEach = ({ devices }: Inspection): { requesterId: string; pasid?: number }[] => {
  const domains = new Map<number, { requesterId: string; pasid?: number }>()
  for (const { requesterId, effect, domainId, pasids } of devices) {
    if (effect === 'translated' && domainId !== undefined && !domains.has(domainId)) domains.set(domainId, { requesterId })
    for (const each of pasids) if (each.domainId !== undefined) domains.set(each.domainId, { requesterId, pasid: each.pasid })
  }
  return [...domains.values()]
}

/** Every traced page that is still mapped translates, in as many domains as there are live maps, to what was mapped. */
const compareTraced = (capture: Capture, inspection: Inspection, { traced }: Truth, into: Comparison): void => {
  const asked = oneOfEach(inspection)
  for (const { iova, physicals, live } of traced) {
    const addresses = asked.flatMap(({ requesterId, pasid }) => {
      const question = { source: Number(requesterId), iova, ...(pasid === undefined ? {} : { pasid }) }
      const read = walkCapture(capture, { ...question, access: 'read' })
      const found = read.outcome === 'translated' ? read : walkCapture(capture, { ...question, access: 'write' })
      return found.outcome === 'translated' ? [BigInt(found.address as string)] : []
    })
    into.traced += live
    const strange = addresses.filter((address) => !physicals.includes(address))
    if (addresses.length !== live || strange.length > 0) {
      into.different.push(`trace ${hex(iova)}: ${addresses.map(hex).join(' ')}, Linux ${live} of ${physicals.map(hex).join(' ')}`)
    }
  }
}

const comparePasidEntries = (inspection: Inspection, { pasidEntries }: Truth, into: Comparison): void => {
  for (const { device, pasid, words } of pasidEntries) {
    if (pasid === 0) continue
    into.pasidEntries++
    const found = inspection.devices.find(({ bdf }) => bdf === device)?.pasids.find((each) => each.pasid === pasid)
    const domainId = Number((words[1] as bigint) & 0xffffn)
    if (found?.effect !== 'translated' || found.domainId !== domainId) into.different.push(`${device} PASID ${pasid}: ${found?.effect}, Linux domain ${domainId}`)
  }
}

export const compareCapture = (folder: string, into: Comparison): void => {
  const capture = captureAt(folder)
  const inspection = inspect(capture)
  for (const { bdf, expectedEffect } of expectedAt(folder)) {
    const effect = inspection.devices.find((device) => device.bdf === bdf)?.effect
    into.devices++
    if (effect !== 'translated') into.others++
    if (effect !== expectedEffect) into.different.push(`${folder} ${bdf}: ${effect}, Linux ${expectedEffect}`)
  }
  const truth = readTruth(folder)
  const current = (mapping: Mapping): boolean => inspection.devices.some(({ bdf, effect }) => bdf === mapping.device && effect !== 'blocked')
  for (const mapping of truth.debugfs) compareMapping(capture, 'debugfs', mapping, into)
  into.debugfs += truth.debugfs.length
  const vfio = folder.includes('edu-vfio') || folder.includes('edu-faulted') ? truth.vfio : []
  for (const mapping of vfio) compareMapping(capture, 'vfio', mapping, into)
  into.vfio += vfio.length
  const dmaApi = truth.dmaApi.filter(current)
  for (const mapping of dmaApi) compareMapping(capture, 'dma-api', { ...mapping, size: 1n }, into)
  into.dmaApi += dmaApi.length
  compareTraced(capture, inspection, truth, into)
  comparePasidEntries(inspection, truth, into)
}
