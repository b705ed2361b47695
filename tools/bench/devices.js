// Drivers on their models: what a DMA costs through device tables, with the IOTLB and without, and switches per second.
import { createAmdMachine } from '@iommu/driver-amd-vi/model'
import { createSmmuMachine } from '@iommu/driver-arm-smmuv3/model'
import { createVtdMachine } from '@iommu/driver-intel-vtd/model'
import { createRiscvMachine } from '@iommu/driver-riscv/model'
import { PhysicalMemory } from '@iommu/hardware'
import { timed } from './measure.js'

const SOURCE = 0x20
const PAGES = 64
const TIMES = { dma: 4096, walk: 64 }
const SWITCHES = 8

const makers = { 'intel-vtd': createVtdMachine, 'amd-vi': createAmdMachine, 'arm-smmuv3': createSmmuMachine, riscv: createRiscvMachine }
const drivers = Object.keys(makers)

/**
 * A driver on its first kind of hardware, with so many devices, the first of which has a domain with some pages. `options`:
 * of its model, beyond what the first kind of hardware is.
 */
export const sceneOf = async (driver, devices = 1, options = {}) => {
  const { backends: [backend] } = await import(`@iommu/driver-${driver}/backends`)
  const sources = Array.from({ length: devices }, (_, at) => SOURCE + at * 8)
  const endpoints = new Map(sources.map((source) => [source, { pasidWidth: 20 }]))
  const { profile } = backend.createMachine({ endpoints, unit: 0 })
  const machine = makers[driver]({ profile, endpoints, unit: 0, ...options })
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
  const times = TIMES[door]
  const send = machine[door]
  return () => ({ ns: timed(() => { for (let at = 0; at < times; at++) send(requests[at % PAGES]) }) / times, checksum: 0 })
}

/** DMA on hardware without an IOTLB, in memory that is one array: copies of the entries are kept, and every DMA walks. */
const walkingRun = async (driver) => {
  const scene = await sceneOf(driver, 1, { iotlb: false, memory: new PhysicalMemory({ flat: true }) })
  const { domain, size } = scene.paging(false)
  domain.attachDev(scene.device, undefined)
  return dmaRun(scene, size, 'dma')
}

const rowsOf = async (driver) => {
  const scene = await sceneOf(driver)
  const { ops, device, paging } = scene
  const [one, other] = [paging(false), paging(false)]
  one.domain.attachDev(device, undefined)
  const there = (times, step) => ({ ns: timed(() => { for (let at = 0; at < times; at++) step() }) / (times * 2), checksum: 0 })
  const row = (name, run, peer, goal) =>
    ({ subject: `driver-${driver}`, name, run, ...(peer === undefined ? {} : { peer }), ...(goal === undefined ? {} : { goal }) })
  const rows = [
    row('translate, IOTLB hit', dmaRun(scene, one.size, 'dma'), 'translate hit', 12),
    row('translate, no IOTLB', await walkingRun(driver), 'translate', 18),
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
