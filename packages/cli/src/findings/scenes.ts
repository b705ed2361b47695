// Scenes that are no change of one point by another domain: what a driver stores in them, and what DMA meets after each step.
import { createCore } from '@iommu/core'
import type { Device } from '@iommu/core'
import type { Backend } from '@iommu/conformance'
import { createBench, formatsFor, pagingState, ridOverPasids, svaState } from '@iommu/conformance/bench'
import type { Bench, Point } from '@iommu/conformance/bench'
import type { DmaRequest, HardwareEvent, TestMachine } from '@iommu/hardware'

const hex = (value: bigint): string => `0x${value.toString(16)}`

/** A DMA that is asked after every step, and what it may meet. */
interface Asked {
  readonly machine: TestMachine
  readonly request: DmaRequest
  look(): string
}

const spellRequest = ({ access, address, source, pasid }: DmaRequest): string =>
  `${access} of ${hex(address)} by ${source >> 8 === 0 ? '00' : hex(BigInt(source >> 8))}:${(source >> 3).toString(16).padStart(2, '0')}.${source & 7}${pasid === undefined ? '' : ` PASID ${pasid}`}`

/** A read by a point. */
const reads = (bench: Bench, { device, pasid }: Point, address: bigint): Asked => {
  const machine = bench.machineOf(device)
  const request: DmaRequest = { source: device.requesterId, kind: 'untranslated', address, access: 'read', ...(pasid === undefined ? {} : { pasid }) }
  const met = (): string[] => machine.outcomes(request).map((outcome) => (outcome.result === 'blocked' ? 'blocked' : hex(outcome.address)))
  return { machine, request, look: () => [...new Set(met())].join(' or ') }
}

interface Entry { readonly name: string; readonly start: bigint; readonly end: bigint }

/** The entries that a DMA is led through now. */
const pathOf = ({ machine, request }: Asked): Entry[] => machine.walk(request).steps.flatMap(({ entry, address, words }) =>
  (address === undefined ? [] : [{ name: entry, start: address, end: address + BigInt(words.length * 8) }]))

/** Runs, and tells each store in an entry on the way of a DMA, each command, and every answer where it changes. */
const strip = (bench: Bench, asked: readonly Asked[], title: string, run: () => void): string[] => {
  const lines = [title, ...asked.map(({ request, look }, index) => `  DMA ${index + 1}  ${spellRequest(request)}: ${look()}`), '']
  const entries = asked.flatMap(pathOf)
  let seen = asked.map(({ look }) => look())
  let step = 0
  const answers = (now: readonly string[]): string => `           -> ${now.map((each, index) => `DMA ${index + 1}: ${each}`).join(', ')}`
  const spell = (event: HardwareEvent, changed: boolean): string | undefined => {
    if (event.kind === 'command') return `cmd    ${event.name}  ${event.text}`.trimEnd()
    if (event.kind !== 'store') return undefined
    const { address, after } = event
    entries.push(...asked.flatMap(pathOf))
    const entry = entries.find(({ start, end }) => address >= start && address < end)
    if (entry === undefined && !changed) return undefined
    return `store  ${entry === undefined ? hex(address) : `${entry.name} at ${hex(entry.start)}, word ${(address - entry.start) / 8n}`} = ${after.map(hex).join(' ')}`
  }
  let refused: string | undefined
  try {
    bench.watch(run, (event) => {
      const now = asked.map(({ look }) => look())
      const changed = now.some((each, index) => each !== seen[index])
      const line = spell(event, changed)
      if (line !== undefined) lines.push(`${String(++step).padStart(3)}  ${line}`)
      if (changed) lines.push(answers(now))
      seen = now
    })
  } catch (error) {
    refused = `refused: ${error instanceof Error ? error.message : String(error)}`
  }
  return [...lines, refused ?? 'done', answers(asked.map(({ look }) => look()))]
}

const benchOf = (backend: Backend, ats = false): Bench =>
  createBench(backend, createCore, { devices: [{ requesterId: 0x20, ats, endpoint: { pasidWidth: 20, ...(ats ? { atsQueueDepth: 31 } : {}) } }] })

const PASID = 5

/** By the finding's id. */
export const scenes: Readonly<Record<string, (backend: Backend) => string[]>> = {
  'vtd-refusal-blocks'(backend) {
    // The second unit knows formats that the first one does not.
    const bench = createBench(backend, createCore, { devices: [{ requesterId: 0x20, unit: 1 }, { requesterId: 0x28, unit: 0 }] })
    bench.probe(...bench.devices)
    const [device, other] = bench.devices as [Device, Device]
    const old = pagingState(bench, device, 1, formatsFor(bench.ops.manifest, 'rid').at(-1))
    old.domain.attachDev(device, undefined)
    const domain = bench.paging(other, backend.incompatibleFormat)
    return strip(bench, [reads(bench, { device }, bench.addresses.mapped[0])],
      'a domain is attached that does not fit the device\'s unit', () => domain.attachDev(device, old.domain))
  },
  'vtd-fpd-lost'(backend) {
    const bench = benchOf(backend)
    bench.probe(bench.device)
    const state = svaState(bench, bench.device, 1)
    if (state === undefined) throw new RangeError('there are no processes here')
    ridOverPasids(bench, bench.device, 2).domain.attachDev?.(bench.device, undefined)
    state.domain.setDevPasid?.(bench.device, PASID, undefined)
    const [address] = bench.addresses.mapped
    const asked = reads(bench, { device: bench.device, pasid: PASID }, address)
    const look = (): string => {
      const met = bench.machine.walk(asked.request).outcome
      return met.result === 'translated' ? hex(met.address) : `blocked, ${met.fault?.recorded === true ? `recorded as ${met.fault.name}` : 'and nothing recorded'}`
    }
    return strip(bench, [{ ...asked, look }], 'the process on a PASID exits', () => state.cpu.end())
  },
  'amd-pasid-lost-in-reset'(backend) {
    const bench = benchOf(backend, true)
    const { core, device } = bench
    core.probeDevice(device)
    const cpu = bench.addressSpace('a process')
    if (cpu === undefined) throw new RangeError('there are no processes here')
    const [iova] = bench.addresses.mapped
    cpu.map(iova, bench.addresses.physical(0x80_0000n))
    const { pasid } = core.bindSva(device, cpu.space)
    const film = strip(bench, [reads(bench, { device, pasid }, iova)], 'a device is reset, with a process on one of its PASIDs', () => {
      core.prepareReset(device)
      core.finishReset(device)
    })
    return [...film, ...bench.warnings.map((warning) => `warning: ${warning}`)]
  },
  'mtk-v1-never-identity'(backend) {
    const bench = benchOf(backend)
    bench.probe(bench.device)
    const old = pagingState(bench, bench.device, 1)
    old.domain.attachDev(bench.device, undefined)
    return strip(bench, bench.addresses.probed.map((address) => reads(bench, { device: bench.device }, address)),
      'a device goes from a paging domain to identity', () => bench.identity.attachDev?.(bench.device, old.domain))
  },
  'smmu-block-over-pages'(backend) {
    const bench = benchOf(backend)
    bench.probe(bench.device)
    const domain = bench.paging(bench.device)
    domain.attachDev(bench.device, undefined)
    const { base, target } = bench.addresses
    bench.map(domain, base, target)
    const block = 0x20_0000n
    return strip(bench, [reads(bench, { device: bench.device }, base)], `a block of ${hex(block)} bytes is mapped over a page`, () => {
      const { mapped, error } = domain.mapPages(base, target + block, block, 1, { read: true, write: true })
      if (error !== undefined) throw error
      domain.iotlbSyncMap?.(base, mapped)
    })
  },
}
