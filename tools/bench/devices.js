// Drivers on their models: what a DMA costs through device tables, with the IOTLB and without, and switches per second.
import { timed } from './measure.js'

const SOURCE = 0x20
const PAGES = 64
const TIMES = 64
const SWITCHES = 8

const drivers = ['intel-vtd', 'amd-vi', 'arm-smmuv3', 'riscv']

/** A driver on its first kind of hardware, with so many devices, the first of which has a domain with some pages. */
export const sceneOf = async (driver, devices = 1) => {
  const { backends: [backend] } = await import(`@iommu/driver-${driver}/backends`)
  const sources = Array.from({ length: devices }, (_, at) => SOURCE + at * 8)
  const machine = backend.createMachine({ endpoints: new Map(sources.map((source) => [source, { pasidWidth: 20 }])), unit: 0 })
  const ops = backend.createDriver([machine], { warn: () => {} })
  const all = sources.map((requesterId) => ({ name: `device ${requesterId}`, requesterId }))
  for (const device of all) ops.probeDevice(device)
  for (const device of all) ops.probeFinalize?.(device)
  const [device] = all
  const [format] = ops.manifest.formats
  const paging = (pasid) => {
    const asked = pasid ? (ops.manifest.pasidFormats ?? ops.manifest.formats)[0] : format
    const domain = ops.domainAllocPaging(device, { format: asked, ...(pasid ? { pasid } : {}) })
    const size = domain.pageSizes & -domain.pageSizes
    const { mapped } = domain.mapPages(0x100_0000n, 0x100_0000n, size, PAGES, { read: true, write: true })
    domain.iotlbSyncMap?.(0x100_0000n, mapped)
    return { domain, size }
  }
  return { machine, ops, device, sources, paging }
}

/** What a DMA of the first device costs, through `door`. */
export const dmaRun = ({ machine }, size, door) => {
  const requests = Array.from({ length: PAGES }, (_, at) =>
    ({ source: SOURCE, kind: 'untranslated', address: 0x100_0000n + BigInt(at) * size, access: 'write' }))
  return () => ({ ns: timed(() => { for (let at = 0; at < TIMES; at++) machine[door](requests[at % PAGES]) }) / TIMES, checksum: 0 })
}

const rowsOf = async (driver) => {
  const scene = await sceneOf(driver)
  const { ops, device, paging } = scene
  const [one, other] = [paging(false), paging(false)]
  one.domain.attachDev(device, undefined)
  const there = (times, step) => ({ ns: timed(() => { for (let at = 0; at < times; at++) step() }) / (times * 2), checksum: 0 })
  const row = (name, run, peer) => ({ subject: `driver-${driver}`, name, run, ...(peer === undefined ? {} : { peer }) })
  const rows = [
    row('translate, IOTLB hit', dmaRun(scene, one.size, 'dma'), 'translate hit'),
    row('translate, no IOTLB, with its steps', dmaRun(scene, one.size, 'walk'), 'translate'),
    row('attachDev', () => there(SWITCHES, () => {
      other.domain.attachDev(device, one.domain)
      one.domain.attachDev(device, other.domain)
    })),
    row('to blocked, or back', () => there(SWITCHES, () => {
      ops.blockedDomain.attachDev(device, one.domain)
      one.domain.attachDev(device, ops.blockedDomain)
    })),
  ]
  if (ops.manifest.maxPasids === 0) return rows
  const [under, over] = [paging(true), paging(true)]
  under.domain.setDevPasid(device, 5, undefined)
  return [...rows, row('setDevPasid', () => there(SWITCHES, () => {
    over.domain.setDevPasid(device, 5, under.domain)
    under.domain.setDevPasid(device, 5, over.domain)
  }))]
}

/** @returns {Promise<import('./measure.js').Row[]>} */
export const deviceRows = async () => (await Promise.all(drivers.map(rowsOf))).flat()
