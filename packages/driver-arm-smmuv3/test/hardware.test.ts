// The driver against an SMMU that misbehaves, and the events that the model reports for tables gone wrong. Long, because
// each condition that the specification lists is a line here.
import { decode, encode } from '@iommu/bits'
import type { Entry } from '@iommu/bits'
import { errorCode } from '@iommu/core'
import type { Device, PagingDomain, SvaDomain } from '@iommu/core'
import type { DmaRequest } from '@iommu/hardware'
import { createCpuAddressSpace } from '@iommu/page-table'
import { describe, expect, test } from 'vitest'
import { cpuTables } from '../src/backends.js'
import { createArmSmmuv3 } from '../src/index.js'
import type { ArmSmmuv3 } from '../src/index.js'
import { createSmmuMachine, defaultProfile } from '../src/model/index.js'
import type { Profile, SmmuMachine } from '../src/model/index.js'
import { contextDescriptor, control0, EVENTS, events, globalBypass, levelOneContext, levelOneStream, OFFSETS, queueBase, streamEntry, streamTableConfig } from '../src/tables/index.js'

const device: Device = { name: '0000:00:04.0', requesterId: 0x20, ats: true }
const endpoints = new Map([[0x20, { pasidWidth: 20, atsQueueDepth: 31 }], [0x30, { pasidWidth: 14 }]])

const made = (profile: Partial<Profile> = {}, each: Device = device): { machine: SmmuMachine; driver: ArmSmmuv3; warnings: string[] } => {
  const machine = createSmmuMachine({ profile, endpoints })
  const warnings: string[] = []
  const driver = createArmSmmuv3(machine, { warn: (sentence) => warnings.push(sentence) })
  driver.probeDevice(each)
  return { machine, driver, warnings }
}
const read = (address: bigint, more: Partial<DmaRequest> = {}): DmaRequest => ({ source: 0x20, kind: 'untranslated', address, access: 'read', ...more })
const paging = (driver: ArmSmmuv3, format: string, each = device): PagingDomain => {
  const domain = driver.domainAllocPaging?.(each, { format }) as PagingDomain
  const page = domain.pageSizes & -domain.pageSizes
  domain.mapPages(0x10_0000n, 0x80_0000n, page, 2, { read: true, write: false })
  return domain
}
const code = (machine: SmmuMachine, request: DmaRequest): string => {
  const outcome = machine.dma(request)
  return outcome.result === 'blocked' ? outcome.fault?.name ?? 'silent' : 'translated'
}
/** The address of the last entry of a layout on the way of a request. */
const entryAt = (machine: SmmuMachine, request: DmaRequest, layout: string): bigint =>
  machine.walk(request).steps.findLast(({ entry }) => entry === layout)?.address as bigint
const forget = ({ caches }: SmmuMachine): void => {
  for (const cache of [caches.levelOneStreams, caches.streams, caches.levelOneContexts, caches.contexts]) cache.drop(() => true)
  for (const { leaves, tables } of [caches.stage1, caches.stage2]) for (const each of [leaves, ...tables]) each.dropTags(() => true)
}
const poke = (machine: SmmuMachine, at: bigint, change: (word: bigint) => bigint): void => {
  machine.memory.store64(at, change(machine.memory.load64(at)))
  forget(machine)
}
/** Changes fields of an entry where it lies. */
const alter = (machine: SmmuMachine, request: DmaRequest, layout: Entry, values: Readonly<Record<string, number | bigint>>): void => {
  const at = entryAt(machine, request, layout.name)
  const words = Array.from({ length: layout.bits / 64 }, (_, index) => machine.memory.load64(at + BigInt(index * 8)))
  encode(layout, values, words).forEach((word, index) => machine.memory.store64(at + BigInt(index * 8), word))
  forget(machine)
}

describe('an SMMU that misbehaves', () => {
  test('a refused command is recovered from, and the old domain is back', () => {
    const { machine, driver } = made()
    const [one, two] = [paging(driver, 'stage-1-4k'), paging(driver, 'stage-2-4k')]
    one.attachDev(device, undefined)
    let refused = 0
    for (let n = 1; n <= 6; n++) {
      machine.fail.queueError(n)
      try {
        two.attachDev(device, one)
      } catch (error) {
        refused++
        expect(String(error)).toContain('ENODEV: the SMMU refused a command as illegal')
        expect(machine.dma(read(0x10_0000n))).toMatchObject({ result: 'translated', attributes: { stage: 1 } })
      }
      machine.fail.queueError(undefined)
      expect(machine.registers.read32(OFFSETS.GERROR)).toBe(machine.registers.read32(OFFSETS.GERRORN))
      one.attachDev(device, two)
    }
    expect(refused).toBe(6)
    two.attachDev(device, one)
    expect(machine.dma(read(0x10_0000n))).toMatchObject({ result: 'translated', attributes: { stage: 2 } })
  })
  test('a completion that never comes is ENODEV, and not a hang', () => {
    const { machine, driver } = made()
    const [one, two] = [paging(driver, 'stage-1-4k'), paging(driver, 'stage-2-4k')]
    one.attachDev(device, undefined)
    machine.fail.completions('never')
    expect(() => two.attachDev(device, one)).toThrow('ENODEV: the SMMU does not complete commands')
    machine.fail.completions('prompt')
    two.attachDev(device, one)
    expect(machine.dma(read(0x10_0000n))).toMatchObject({ result: 'translated', attributes: { stage: 2 } })
  })
  test('a device that does not answer is ENODEV, and blocked all the same', () => {
    const { machine, driver, warnings } = made()
    const one = paging(driver, 'stage-1-4k')
    one.attachDev(device, undefined)
    machine.fail.deviceTlb(0x20, 'times out')
    expect(() => driver.identityDomain?.attachDev(device, one)).toThrow('ENODEV: a device did not answer the invalidation of its TLB')
    driver.blockedDomain?.attachDev(device, one)
    expect(machine.walk(read(0x10_0000n)).outcome.result).toBe('blocked')
    expect(warnings).toHaveLength(1)
    machine.fail.deviceTlb(0x20, 'answers')
    one.attachDev(device, undefined)
    expect(machine.dma(read(0x10_0000n)).result).toBe('translated')
  })
  test('an SMMU without a stage, or whose registers never acknowledge, is an error at creation', () => {
    expect(() => createArmSmmuv3(createSmmuMachine({ profile: { stage1: false, stage2: false } }))).toThrow('ENODEV: the SMMU cannot be used: it has no translation stage')
    const machine = createSmmuMachine()
    const read32 = (offset: number): number => (offset === OFFSETS.CR0ACK ? 0 : machine.registers.read32(offset))
    expect(() => createArmSmmuv3({ ...machine, registers: { ...machine.registers, read32 } })).toThrow('ENODEV: the SMMU does not acknowledge CR0')
  })
  test('without memory nothing is left behind', () => {
    const machine = createSmmuMachine({ endpoints })
    const driver = createArmSmmuv3(machine)
    const before = machine.memory.pages.live
    const codes: (string | undefined)[] = []
    // The level 2 stream table, then the CD table, then its first leaf, then nothing.
    for (const n of [1, 2, 2, 4]) {
      machine.fail.allocation(n)
      try {
        driver.probeDevice(device)
        codes.push('ok')
        driver.releaseDevice?.(device)
      } catch (error) {
        codes.push(errorCode(error))
      }
      machine.fail.allocation(undefined)
    }
    expect(codes).toEqual(['ENOMEM', 'ENOMEM', 'ENOMEM', 'ok'])
    // The level 2 stream table stays: it is of 256 streams, 16 KiB.
    expect(machine.memory.pages.live - before).toBe(4)
  })
})

describe('while translation is off', () => {
  test('everything passes out of reset, and nothing once a driver has begun to take over', () => {
    const machine = createSmmuMachine()
    expect(code(machine, read(0x1234n))).toBe('translated')
    machine.registers.write32(OFFSETS.GBPA, Number(encode(globalBypass, { ABORT: 1 })[0]))
    expect(code(machine, read(0x1234n))).toBe('translated')
    const answers: string[] = []
    machine.observe(({ kind }) => { if (kind === 'register') answers.push(code(machine, read(0x1234n))) })
    createArmSmmuv3(machine)
    // In the end there is a stream table, and no stream in it yet.
    expect([...new Set(answers)]).toEqual(['silent', 'C_BAD_STREAMID'])
  })
})

describe('aliases', () => {
  test('DMA under every StreamID of a device goes where the device goes', () => {
    const aliased: Device = { name: 'x', requesterId: 0x20, aliases: [0x21, 0x108] }
    const { machine, driver } = made({}, aliased)
    const domain = paging(driver, 'stage-1-4k', aliased)
    domain.attachDev(aliased, undefined)
    for (const source of [0x20, 0x21, 0x108]) expect(machine.dma(read(0x10_0000n, { source }))).toMatchObject({ address: 0x80_0000n })
    driver.blockedDomain?.attachDev(aliased, domain)
    for (const source of [0x20, 0x21, 0x108]) expect(code(machine, read(0x10_0000n, { source }))).toBe('silent')
  })
  test('a StreamID that the SMMU does not have is refused', () => {
    const machine = createSmmuMachine({ profile: { streamBits: 8, twoLevelStreams: false } })
    expect(() => createArmSmmuv3(machine).probeDevice({ name: 'far', requesterId: 0x100 })).toThrow('EINVAL: the StreamID is beyond what the SMMU has')
  })
})

describe('the event queue', () => {
  test('keeps as many events as it has entries, then says that some were lost', () => {
    const { machine, driver } = made({ eventQueue: 2 })
    paging(driver, 'stage-1-4k').attachDev(device, undefined)
    for (let n = 0n; n < 6n; n++) machine.dma(read(0x1000n * n, { access: n % 2n === 0n ? 'read' : 'write' }))
    const { events: taken, overflow } = driver.readEvents()
    expect(overflow).toBe(true)
    expect(taken.map(({ address, access, name }) => [address, access, name])).toEqual([
      [0n, 'read', 'F_TRANSLATION'], [0x1000n, 'write', 'F_TRANSLATION'], [0x2000n, 'read', 'F_TRANSLATION'], [0x3000n, 'write', 'F_TRANSLATION'],
    ])
    expect(driver.readEvents()).toEqual({ events: [], overflow: false })
    machine.dma(read(0x9000n, { pasid: 7 }))
    expect(driver.readEvents()).toMatchObject({ events: [{ source: 0x20, pasid: 7, name: 'C_BAD_CD' }], overflow: false })
  })
  test('has nothing about a blocked device, and a terminated stream where PASIDs are alive', () => {
    const { machine, driver } = made()
    const domain = paging(driver, 'stage-1-4k')
    expect(code(machine, read(0x10_0000n))).toBe('silent')
    domain.setDevPasid?.(device, 5, undefined)
    expect([code(machine, read(0x10_0000n)), code(machine, read(0x10_0000n, { pasid: 5 }))]).toEqual(['F_STREAM_DISABLED', 'translated'])
    expect(driver.readEvents().events.map(({ name }) => name)).toEqual(['F_STREAM_DISABLED'])
  })
  test('says what an event says and no more, and leaves an unknown code unknown', () => {
    const { machine, driver } = made()
    const at = decode(queueBase, [machine.registers.read64(OFFSETS.EVENTQ_BASE)]).ADDR
    machine.memory.store64(at, 0x20_0000_00efn)
    const { registers } = machine
    // With the queue off its producer can be written.
    registers.write32(OFFSETS.CR0, registers.read32(OFFSETS.CR0) & ~Number(encode(control0, { EVENTQEN: 1 })[0]))
    registers.write32(OFFSETS.EVENTQ_PROD, 1)
    expect(driver.readEvents().events).toEqual([{ source: 0x20, code: 0xef, name: undefined }])
  })
  test('where faults stall the driver ends them', () => {
    const { machine, driver } = made({ stalls: 'always', abortOnly: false })
    paging(driver, 'stage-1-4k').attachDev(device, undefined)
    const commands: string[] = []
    machine.observe((event) => { if (event.kind === 'command') commands.push(event.name) })
    expect(code(machine, read(0x20_0000n))).toBe('F_TRANSLATION')
    expect(driver.readEvents().events).toMatchObject([{ name: 'F_TRANSLATION', stalled: 1 }])
    expect(commands).toEqual(['smmuv3.cmd.resume', 'smmuv3.cmd.sync'])
  })
})

/** A case: which entry is changed and how, and the event that a read then meets. `outside`: what confirms the event for it. */
interface Wrong {
  readonly what: string
  readonly entry: Entry
  readonly change: Readonly<Record<string, number | bigint>>
  readonly event: keyof typeof EVENTS | 'silent' | 'translated'
  readonly outside: 'qemu' | 'spec'
  readonly profile?: Partial<Profile>
  readonly request?: Partial<DmaRequest>
}

const NOWHERE = 0x8000_0000n

const stage1Cases: readonly Wrong[] = [
  { what: 'a descriptor without streams', entry: levelOneStream, change: { Span: 0 }, event: 'C_BAD_STREAMID', outside: 'spec' },
  { what: 'a descriptor with more streams than the split', entry: levelOneStream, change: { Span: 10 }, event: 'C_BAD_STREAMID', outside: 'spec' },
  { what: 'a stream beyond the span', entry: levelOneStream, change: { Span: 5 }, event: 'C_BAD_STREAMID', outside: 'spec' },
  { what: 'streams in no memory', entry: levelOneStream, change: { L2Ptr: NOWHERE }, event: 'F_STE_FETCH', outside: 'qemu' },
  { what: 'an invalid stream', entry: streamEntry, change: { V: 0 }, event: 'C_BAD_STE', outside: 'qemu' },
  { what: 'an aborting stream', entry: streamEntry, change: { Config: 0 }, event: 'silent', outside: 'qemu' },
  { what: 'an aborting stream by a reserved value', entry: streamEntry, change: { Config: 1 }, event: 'silent', outside: 'qemu' },
  { what: 'stage 2 without IDR0.S2P', entry: streamEntry, change: { Config: 6 }, event: 'C_BAD_STE', outside: 'spec', profile: { stage2: false } },
  { what: 'more contexts than SSIDs', entry: streamEntry, change: { S1CDMax: 21 }, event: 'C_BAD_STE', outside: 'spec' },
  { what: 'a reserved format of contexts', entry: streamEntry, change: { S1Fmt: 3 }, event: 'C_BAD_STE', outside: 'spec' },
  { what: 'leaves of contexts without IDR0.CD2L', entry: streamEntry, change: { S1Fmt: 1 }, event: 'C_BAD_STE', outside: 'spec', profile: { twoLevelContexts: false } },
  { what: 'a reserved default substream', entry: streamEntry, change: { S1DSS: 3 }, event: 'C_BAD_STE', outside: 'spec' },
  { what: 'a reserved stream world', entry: streamEntry, change: { STRW: 1 }, event: 'C_BAD_STE', outside: 'spec' },
  { what: 'EL2 without IDR0.HYP', entry: streamEntry, change: { STRW: 2 }, event: 'C_BAD_STE', outside: 'spec' },
  { what: 'stalls disabled where there are none', entry: streamEntry, change: { S1STALLD: 1 }, event: 'C_BAD_STE', outside: 'spec' },
  { what: 'split-stage ATS with one stage', entry: streamEntry, change: { EATS: 2 }, event: 'C_BAD_STE', outside: 'spec' },
  { what: 'contexts in no memory', entry: streamEntry, change: { S1ContextPtr: NOWHERE }, event: 'F_CD_FETCH', outside: 'qemu' },
  { what: 'an invalid leaf of contexts', entry: levelOneContext, change: { V: 0 }, event: 'C_BAD_SUBSTREAMID', outside: 'spec' },
  { what: 'an invalid context', entry: contextDescriptor, change: { V: 0 }, event: 'C_BAD_CD', outside: 'qemu' },
  { what: 'a context of AArch32', entry: contextDescriptor, change: { AA64: 0 }, event: 'C_BAD_CD', outside: 'qemu' },
  { what: 'a context that does not abort', entry: contextDescriptor, change: { A: 0 }, event: 'C_BAD_CD', outside: 'qemu' },
  { what: 'a context that stalls', entry: contextDescriptor, change: { S: 1 }, event: 'C_BAD_CD', outside: 'qemu' },
  { what: 'access flags by hardware that has none', entry: contextDescriptor, change: { HA: 1 }, event: 'C_BAD_CD', outside: 'qemu' },
  { what: 'an input size of 49 bits', entry: contextDescriptor, change: { T0SZ: 15 }, event: 'C_BAD_CD', outside: 'qemu' },
  { what: 'an input size of 24 bits', entry: contextDescriptor, change: { T0SZ: 40 }, event: 'C_BAD_CD', outside: 'spec' },
  { what: 'a reserved granule', entry: contextDescriptor, change: { TG0: 3 }, event: 'C_BAD_CD', outside: 'qemu' },
  { what: 'a granule that the SMMU has not', entry: contextDescriptor, change: { TG0: 1 }, event: 'C_BAD_CD', outside: 'spec', profile: { granules: [12] } },
  { what: 'big-endian tables', entry: contextDescriptor, change: { ENDI: 1 }, event: 'C_BAD_CD', outside: 'spec' },
  { what: 'a wide ASID without IDR0.ASID16', entry: contextDescriptor, change: { ASID: 0x101 }, event: 'C_BAD_CD', outside: 'spec', profile: { wideAsids: false } },
  { what: 'a table beyond the output size', entry: contextDescriptor, change: { TTB0: 1n << 44n }, event: 'C_BAD_CD', outside: 'qemu' },
  { what: 'a table in no memory', entry: contextDescriptor, change: { TTB0: NOWHERE }, event: 'F_WALK_EABT', outside: 'qemu' },
  { what: 'no table', entry: contextDescriptor, change: { EPD0: 1 }, event: 'F_TRANSLATION', outside: 'spec' },
]

const stage2Cases: readonly Wrong[] = [
  { what: 'AArch32 tables', entry: streamEntry, change: { S2AA64: 0 }, event: 'C_BAD_STE', outside: 'spec' },
  { what: 'a reserved granule', entry: streamEntry, change: { S2TG: 3 }, event: 'C_BAD_STE', outside: 'spec' },
  { what: 'a start level that does not fit', entry: streamEntry, change: { S2SL0: 0 }, event: 'C_BAD_STE', outside: 'spec' },
  { what: 'input wider than output', entry: streamEntry, change: { S2T0SZ: 16 }, event: 'C_BAD_STE', outside: 'spec' },
  { what: 'big-endian tables', entry: streamEntry, change: { S2ENDI: 1 }, event: 'C_BAD_STE', outside: 'spec' },
  { what: 'access flags by hardware that has none', entry: streamEntry, change: { S2HA: 1 }, event: 'C_BAD_STE', outside: 'spec' },
  { what: 'stalls where there are none', entry: streamEntry, change: { S2S: 1 }, event: 'C_BAD_STE', outside: 'spec' },
  { what: 'a wide VMID without IDR0.VMID16', entry: streamEntry, change: { S2VMID: 0x101 }, event: 'C_BAD_STE', outside: 'spec', profile: { wideVmids: false } },
  { what: 'a table beyond the output size', entry: streamEntry, change: { S2TTB: 1n << 45n }, event: 'C_BAD_STE', outside: 'spec' },
  { what: 'a table in no memory', entry: streamEntry, change: { S2TTB: NOWHERE }, event: 'F_WALK_EABT', outside: 'qemu' },
  { what: 'a request with SSID', entry: streamEntry, change: {}, event: 'C_BAD_SUBSTREAMID', outside: 'spec', request: { pasid: 1 } },
]

const meets = (format: string, { entry, change, event, profile = {}, request = {} }: Wrong): void => {
  const { machine, driver } = made({ ats: false, ...profile })
  paging(driver, format).attachDev(device, undefined)
  expect(code(machine, read(0x10_0000n))).toBe('translated')
  alter(machine, read(0x10_0000n), entry, change)
  expect(code(machine, read(0x10_0000n, request))).toBe(event)
}

describe('entries gone wrong', () => {
  test.each(stage1Cases.map((each) => [`stage 1: ${each.what}`, each] as const))('%s', (_what, each) => meets('stage-1-4k', each))
  test.each(stage2Cases.map((each) => [`stage 2: ${each.what}`, each] as const))('%s', (_what, each) => meets('stage-2-4k', each))
  test('every event that a case expects is known from outside; the case itself may rest on the specification alone', () => {
    const all = [...stage1Cases, ...stage2Cases]
    for (const { event } of all) {
      if (event !== 'silent' && event !== 'translated') expect(events.get(EVENTS[event])?.confirmedBy).not.toEqual([])
    }
    expect([all.filter(({ outside }) => outside === 'qemu').length, all.filter(({ outside }) => outside === 'spec').length]).toEqual([15, 28])
  })
})

describe('pages gone wrong', () => {
  test.each(['stage-1-4k', 'stage-2-4k'])('%s', (format) => {
    const { machine, driver } = made()
    paging(driver, format).attachDev(device, undefined)
    const leaf = entryAt(machine, read(0x10_0000n), format.startsWith('stage-1') ? 'smmuv3.s1' : 'smmuv3.s2')
    const whole = machine.memory.load64(leaf)
    const after = (change: (word: bigint) => bigint): string => {
      poke(machine, leaf, () => change(whole))
      return code(machine, read(0x10_0000n))
    }
    expect([
      after(() => 0n), after((word) => word & ~2n), after((word) => word | (1n << 45n)), after((word) => word & ~(1n << 10n)), after((word) => word),
    ]).toEqual(['F_TRANSLATION', 'F_TRANSLATION', 'F_ADDR_SIZE', 'F_ACCESS', 'translated'])
    expect([code(machine, read(0x10_0000n, { access: 'write' })), code(machine, read(1n << 50n))]).toEqual(['F_PERMISSION', 'F_TRANSLATION'])
  })
  test('a context that records nothing is silent, and still blocks', () => {
    const { machine, driver } = made()
    paging(driver, 'stage-1-4k').attachDev(device, undefined)
    alter(machine, read(0x10_0000n), contextDescriptor, { R: 0 })
    expect(machine.dma(read(0x20_0000n))).toMatchObject({ result: 'blocked', fault: { name: 'F_TRANSLATION', recorded: false } })
    expect(driver.readEvents().events).toEqual([])
  })
  test('pages that nobody may execute, and requests with privilege', () => {
    const { machine, driver } = made()
    const domain = driver.domainAllocPaging?.(device, {}) as PagingDomain
    domain.mapPages(0x10_0000n, 0x80_0000n, 0x1000n, 1, { read: true, write: true, noExecute: true })
    domain.attachDev(device, undefined)
    expect([code(machine, read(0x10_0000n, { execute: true })), code(machine, read(0x10_0000n, { privileged: true }))]).toEqual(['F_PERMISSION', 'translated'])
  })
})

describe('requests that a stream does not take', () => {
  test('with SSIDs: none on bypass, none beyond the table, not the first where it stands for requests without', () => {
    const { machine, driver } = made({ substreamBits: 16 })
    driver.identityDomain?.attachDev(device, undefined)
    expect(code(machine, read(0n, { pasid: 1 }))).toBe('C_BAD_SUBSTREAMID')
    paging(driver, 'stage-1-4k').attachDev(device, undefined)
    expect([code(machine, read(0n, { pasid: 0 })), code(machine, read(0n, { pasid: 1 << 16 })), code(machine, read(0n, { pasid: 1 }))])
      .toEqual(['F_STREAM_DISABLED', 'C_BAD_SUBSTREAMID', 'C_BAD_CD'])
  })
  test('a StreamID beyond the table is recorded where CR2 asks for it', () => {
    const { machine } = made({ streamBits: 9 })
    const { LOG2SIZE } = decode(streamTableConfig, [BigInt(machine.registers.read32(OFFSETS.STRTAB_BASE_CFG))])
    expect(LOG2SIZE).toBe(9)
    expect(machine.dma(read(0n, { source: 0x200 }))).toMatchObject({ fault: { name: 'C_BAD_STREAMID', recorded: true } })
    machine.registers.write32(OFFSETS.CR2, 0)
    expect(machine.dma(read(0n, { source: 0x200 }))).toMatchObject({ fault: { name: 'C_BAD_STREAMID', recorded: false } })
  })
})

describe('ATS', () => {
  const translate = (more: Partial<DmaRequest> = {}): DmaRequest => read(0x10_0000n, { kind: 'translate', ...more })
  test('is on while a domain lets it through, and off on blocked and identity', () => {
    const { machine, driver } = made()
    const { enabled } = machine.endpoint(0x20).config
    expect(enabled.ats).toBe(false)
    const domain = paging(driver, 'stage-2-4k')
    domain.attachDev(device, undefined)
    expect(enabled.ats).toBe(true)
    driver.identityDomain?.attachDev(device, domain)
    expect([enabled.ats, code(machine, translate()), code(machine, read(0n, { kind: 'translated' }))]).toEqual([false, 'F_BAD_ATS_TREQ', 'F_TRANSL_FORBIDDEN'])
    driver.blockedDomain?.attachDev(device, undefined)
    expect([enabled.ats, code(machine, translate()), code(machine, read(0n, { kind: 'translated' }))]).toEqual([false, 'silent', 'silent'])
    // With PASIDs alive identity is a stream with contexts, which allows ATS.
    paging(driver, 'stage-1-4k').setDevPasid?.(device, 5, undefined)
    driver.identityDomain?.attachDev(device, undefined)
    expect([enabled.ats, code(machine, translate())]).toEqual([true, 'translated'])
  })
  test('a translation that the device keeps is gone once its domain is', () => {
    const { machine, driver } = made()
    const domain = paging(driver, 'stage-1-4k')
    domain.attachDev(device, undefined)
    expect(machine.dma(translate())).toMatchObject({ address: 0x80_0000n })
    expect(machine.outcomes(translate())).toHaveLength(2)
    const other = paging(driver, 'stage-1-4k')
    other.attachDev(device, domain)
    expect(machine.outcomes(translate())).toMatchObject([{ tag: 'VMID 0 ASID 2' }])
  })
  test('stays off where every fault stalls and stage 2 would have to', () => {
    const { machine, driver } = made({ stalls: 'always', abortOnly: false })
    paging(driver, 'stage-2-4k').attachDev(device, undefined)
    expect([machine.endpoint(0x20).config.enabled.ats, code(machine, read(0x10_0000n))]).toEqual([false, 'translated'])
  })
})

describe('PASIDs', () => {
  test('need stage 1 below them, and identity cannot be on them', () => {
    const { driver } = made()
    const [one, two] = [paging(driver, 'stage-1-4k'), paging(driver, 'stage-2-4k')]
    expect([driver.manifest.identity, 'setDevPasid' in (driver.identityDomain as object), two.pasidCapable]).toEqual([{ rid: true, pasid: false }, false, false])
    expect(() => driver.domainAllocPaging?.(device, { format: 'stage-2-4k', pasid: true })).toThrow('EOPNOTSUPP: contexts of PASIDs are of stage 1')
    two.attachDev(device, undefined)
    expect(() => one.setDevPasid?.(device, 5, undefined)).toThrow('EINVAL: PASIDs need a CD table')
    one.attachDev(device, two)
    one.setDevPasid?.(device, 5, undefined)
    expect(() => two.attachDev(device, one)).toThrow('EBUSY: PASIDs are alive')
  })
  test('without leaves of contexts a device has 1024', () => {
    const { driver } = made({ twoLevelContexts: false })
    expect(driver.maxPasids?.(device)).toBe(1024)
    const domain = paging(driver, 'stage-1-4k')
    domain.setDevPasid?.(device, 1023, undefined)
    expect(() => domain.setDevPasid?.(device, 1024, undefined)).toThrow('EINVAL: the PASID is beyond what device and SMMU have')
  })
})

describe('SVA', () => {
  test('shares the tables of a process, and faults silently when it has ended', () => {
    const { machine, driver } = made()
    const cpu = createCpuAddressSpace(machine.memory, 'process', cpuTables(defaultProfile))
    const domain = driver.domainAllocSva?.(device, cpu.space) as SvaDomain
    cpu.map(0x7000n, 0x80_0000n)
    domain.setDevPasid(device, 9, undefined)
    expect(machine.dma(read(0x7008n, { pasid: 9 }))).toMatchObject({ address: 0x80_0008n, tag: 'VMID 0 ASID 1' })
    cpu.end()
    expect(machine.dma(read(0x7008n, { pasid: 9 }))).toMatchObject({ result: 'blocked', fault: { name: 'F_TRANSLATION', recorded: false } })
  })
  test.each([
    [{ substreamBits: 0 }, 'the SMMU has no stage 1 with SSIDs'],
    [{ coherent: false }, 'the SMMU does not snoop'],
    [{ stage1: false }, 'the SMMU has no stage 1 with SSIDs'],
    [{ granules: [16] as const }, 'the SMMU has no granule of 2^12 bytes'],
  ])('is refused on %j', (profile, why) => {
    const { machine, driver } = made(profile)
    const { space } = createCpuAddressSpace(machine.memory, 'process', cpuTables(defaultProfile))
    expect(() => driver.domainAllocSva?.(device, space)).toThrow(`EOPNOTSUPP: ${why}`)
  })
})

test('several SMMUs: a domain has an ASID on each, and is flushed on each', () => {
  const first = createSmmuMachine({ endpoints, unit: 0 })
  const second = createSmmuMachine({ endpoints, unit: 1, memory: first.memory })
  const driver = createArmSmmuv3(first, { moreUnits: [second] })
  const [near, far]: [Device, Device] = [{ name: 'near', requesterId: 0x20 }, { name: 'far', requesterId: 0x20, unit: 1 }]
  for (const each of [near, far]) driver.probeDevice(each)
  const keeper = paging(driver, 'stage-1-4k', far)
  keeper.attachDev(far, undefined)
  const domain = paging(driver, 'stage-1-4k', near)
  domain.attachDev(near, undefined)
  domain.setDevPasid?.(far, 0x123, undefined)
  expect([first.dma(read(0x10_0000n)), second.dma(read(0x10_0000n, { pasid: 0x123 }))]).toMatchObject([{ tag: 'VMID 0 ASID 1' }, { tag: 'VMID 0 ASID 2' }])
  expect(driver.idsInUse()).toBe(3)
  driver.blockedDomain?.attachDev(near, domain)
  expect(driver.idsInUse()).toBe(2)
})
