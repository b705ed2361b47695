// The model, check by check: what it answers to tables gone wrong and to requests that no stream takes, and what its event
// queue then says. Long, because each condition that the specification lists is a line here.
import { decode, encode } from '@iommu/bits'
import type { Entry } from '@iommu/bits'
import { loadWords } from '@iommu/hardware'
import type { DmaRequest } from '@iommu/hardware'
import { describe, expect, test } from 'vitest'
import { entryAt } from '../../../tools/driver-tests/dma.js'
import { createArmSmmuv3 } from '../src/index.js'
import { createSmmuMachine, defaultProfile, fetchStream, Stopped } from '../src/model/index.js'
import type { Profile, SmmuMachine } from '../src/model/index.js'
import {
  addressSizeEvent, contextDescriptor, control0, EVENTS, events, globalBypass, levelOneContext, levelOneStream, OFFSETS, queueBase, streamEntry,
  streamTableConfig, walkAbortEvent,
} from '../src/tables/index.js'
import { ats, code, made, poke, read } from './scene.js'

/** The first record of the event queue. */
const firstRecord = ({ memory, registers }: SmmuMachine, layout: Entry): Readonly<Record<string, number | bigint>> => {
  const { ADDR } = decode(queueBase, [registers.read64(OFFSETS.EVENTQ_BASE)])
  return decode(layout, [0n, 8n, 16n, 24n].map((at) => memory.load64(ADDR + at)))
}

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

describe('the event queue', () => {
  test('keeps as many events as it has entries, then says that some were lost', () => {
    const { machine, driver, readable } = made({ eventQueue: 2 })
    readable('stage-1-4k').attachDev(ats, undefined)
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
    const { machine, driver, readable } = made()
    const domain = readable('stage-1-4k')
    expect(code(machine, read(0x10_0000n))).toBe('silent')
    domain.setDevPasid?.(ats, 5, undefined)
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
    const { machine, driver, readable } = made({ stalls: 'always', abortOnly: false })
    readable('stage-1-4k').attachDev(ats, undefined)
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
  { what: 'more contexts than one without SSIDs, which nobody looks at', entry: streamEntry, change: { S1CDMax: 1 }, event: 'translated', outside: 'spec', profile: { substreamBits: 0 } },
  { what: 'a reserved format of contexts, which is one array', entry: streamEntry, change: { S1Fmt: 3 }, event: 'C_BAD_CD', outside: 'spec' },
  { what: 'leaves of contexts without IDR0.CD2L', entry: streamEntry, change: { S1Fmt: 1 }, event: 'C_BAD_STE', outside: 'spec', profile: { twoLevelContexts: false } },
  { what: 'a reserved default substream, which is to terminate', entry: streamEntry, change: { S1DSS: 3 }, event: 'F_STREAM_DISABLED', outside: 'spec' },
  { what: 'a reserved stream world without IDR0.HYP, which nobody looks at', entry: streamEntry, change: { STRW: 1 }, event: 'translated', outside: 'spec' },
  { what: 'EL2 without IDR0.HYP, which nobody looks at', entry: streamEntry, change: { STRW: 2 }, event: 'translated', outside: 'spec' },
  { what: 'stalls disabled where there are none', entry: streamEntry, change: { S1STALLD: 1 }, event: 'C_BAD_STE', outside: 'spec' },
  { what: 'split-stage ATS with one stage', entry: streamEntry, change: { EATS: 2 }, event: 'C_BAD_STE', outside: 'spec', profile: { ats: true } },
  { what: 'split-stage ATS without IDR0.ATS, which nobody looks at', entry: streamEntry, change: { EATS: 2 }, event: 'translated', outside: 'spec' },
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
  { what: 'an input size of 24 bits', entry: streamEntry, change: { S2T0SZ: 40, S2SL0: 0 }, event: 'C_BAD_STE', outside: 'spec' },
  { what: 'big-endian tables', entry: streamEntry, change: { S2ENDI: 1 }, event: 'C_BAD_STE', outside: 'spec' },
  { what: 'access flags by hardware that has none', entry: streamEntry, change: { S2HA: 1 }, event: 'C_BAD_STE', outside: 'spec' },
  { what: 'stalls where there are none', entry: streamEntry, change: { S2S: 1 }, event: 'C_BAD_STE', outside: 'spec' },
  { what: 'a wide VMID without IDR0.VMID16', entry: streamEntry, change: { S2VMID: 0x101 }, event: 'C_BAD_STE', outside: 'spec', profile: { wideVmids: false } },
  { what: 'a table beyond the output size', entry: streamEntry, change: { S2TTB: 1n << 45n }, event: 'C_BAD_STE', outside: 'spec' },
  { what: 'a table in no memory', entry: streamEntry, change: { S2TTB: NOWHERE }, event: 'F_WALK_EABT', outside: 'qemu' },
  { what: 'a request with SSID', entry: streamEntry, change: {}, event: 'C_BAD_SUBSTREAMID', outside: 'spec', request: { pasid: 1 } },
]

const meets = (format: string, { entry, change, event, profile = {}, request = {} }: Wrong): void => {
  const { machine, readable } = made({ ats: false, ...profile })
  readable(format).attachDev(ats, undefined)
  expect(code(machine, read(0x10_0000n))).toBe('translated')
  poke.fields(machine, read(0x10_0000n), entry, change)
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
    expect([all.filter(({ outside }) => outside === 'qemu').length, all.filter(({ outside }) => outside === 'spec').length]).toEqual([15, 31])
  })
})

describe('hardware that updates flags in tables too (HTTU 3)', () => {
  test('S2HAFT wants S2HA, or the entry is illegal (5.2.2)', () => {
    const { machine, readable } = made()
    readable('stage-2-4k').attachDev(ats, undefined)
    const { memory, hardware: { formats, capabilities } } = machine
    const at = entryAt(machine, read(0x10_0000n), 'smmuv3.ste')
    const whole = loadWords(memory, at, 8)
    const fetched = (change: { readonly S2HAFT: number; readonly S2HA: number }, flagUpdates: 2 | 3): string => {
      encode(streamEntry, change, whole).forEach((word, index) => { memory.store64(at + BigInt(index * 8), word) })
      try {
        return fetchStream({ view: memory.walker, capabilities: { ...capabilities, flagUpdates }, formats }, at).kind
      } catch (error) {
        return error instanceof Stopped ? error.event ?? 'silent' : String(error)
      }
    }
    expect(fetched({ S2HAFT: 1, S2HA: 0 }, 3)).toBe('C_BAD_STE')
    expect(fetched({ S2HAFT: 1, S2HA: 1 }, 3)).toBe('stage 2')
    expect(fetched({ S2HAFT: 1, S2HA: 0 }, 2)).toBe('stage 2')
  })
})

describe('pages gone wrong', () => {
  test.each(['stage-1-4k', 'stage-2-4k'])('%s', (format) => {
    const { machine, readable } = made()
    readable(format).attachDev(ats, undefined)
    const leaf = entryAt(machine, read(0x10_0000n), format.startsWith('stage-1') ? 'smmuv3.s1' : 'smmuv3.s2')
    const whole = machine.memory.load64(leaf)
    const after = (change: (word: bigint) => bigint): string => {
      poke.word(machine, leaf, () => change(whole))
      return code(machine, read(0x10_0000n))
    }
    expect([
      after(() => 0n), after((word) => word & ~2n), after((word) => word | (1n << 45n)), after((word) => word & ~(1n << 10n)), after((word) => word),
    ]).toEqual(['F_TRANSLATION', 'F_TRANSLATION', 'F_ADDR_SIZE', 'F_ACCESS', 'translated'])
    expect([code(machine, read(0x10_0000n, { access: 'write' })), code(machine, read(1n << 50n))])
      .toEqual(['F_PERMISSION', format === 'stage-1-4k' ? 'F_TRANSLATION' : 'F_ADDR_SIZE'])
  })
  test('a context that records nothing is silent, and still blocks', () => {
    const { machine, driver, readable } = made()
    readable('stage-1-4k').attachDev(ats, undefined)
    poke.fields(machine, read(0x10_0000n), contextDescriptor, { R: 0 })
    expect(machine.dma(read(0x20_0000n))).toMatchObject({ result: 'blocked', fault: { name: 'F_TRANSLATION', recorded: false } })
    expect(driver.readEvents().events).toEqual([])
  })
  test.each([
    ['stage-1-4k', contextDescriptor, { R: 0, TTB0: NOWHERE }, { S2: 0, CLASS: 1 }],
    ['stage-2-4k', streamEntry, { S2R: 0, S2TTB: NOWHERE }, { S2: 1, CLASS: 2 }],
  ] as const)('%s: a table that cannot be read is recorded, whatever R says (IHI0070 5.5, 7.3.12)', (format, layout, change, said) => {
    const { machine, readable } = made()
    readable(format).attachDev(ats, undefined)
    poke.fields(machine, read(0x10_0000n), layout, change)
    expect(machine.dma(read(0x10_0000n))).toMatchObject({ result: 'blocked', fault: { name: 'F_WALK_EABT', recorded: true } })
    expect(firstRecord(machine, walkAbortEvent)).toMatchObject({ ...said, InputAddr: 0x10_0000n, FetchAddr: NOWHERE })
  })
  test('an address wider than any output that stage 1 does not translate is a fault of stage 1, recorded whatever S2R says (IHI0070 3.4)', () => {
    const { machine, driver, readable } = made()
    const [widest, wider] = [(1n << BigInt(defaultProfile.outputBits)) - 8n, 1n << BigInt(defaultProfile.outputBits)]
    const domain = readable('stage-2-4k')
    domain.attachDev(ats, undefined)
    poke.fields(machine, read(0x10_0000n), streamEntry, { S2R: 0 })
    expect(machine.dma(read(widest))).toMatchObject({ result: 'blocked', fault: { name: 'F_TRANSLATION', recorded: false } })
    expect(machine.dma(read(wider))).toMatchObject({ result: 'blocked', fault: { name: 'F_ADDR_SIZE', recorded: true } })
    expect(firstRecord(machine, addressSizeEvent)).toMatchObject({ S2: 0, CLASS: 2, InputAddr: wider })
    driver.identityDomain?.attachDev(ats, domain)
    expect([code(machine, read(widest)), code(machine, read(wider))]).toEqual(['translated', 'F_ADDR_SIZE'])
    // Off: nobody is told.
    const off = createSmmuMachine()
    expect([code(off, read(widest)), code(off, read(wider))]).toEqual(['translated', 'silent'])
  })
  test('pages that nobody may execute, and requests with privilege', () => {
    const { machine, paging } = made()
    const domain = paging()
    domain.mapPages(0x10_0000n, 0x80_0000n, 0x1000n, 1, { read: true, write: true, noExecute: true })
    domain.attachDev(ats, undefined)
    expect([code(machine, read(0x10_0000n, { execute: true })), code(machine, read(0x10_0000n, { privileged: true }))]).toEqual(['F_PERMISSION', 'translated'])
  })
})

describe('requests that a stream does not take', () => {
  test('with SSIDs: none on bypass, none beyond the table, not the first where it stands for requests without', () => {
    const { machine, driver, readable } = made({ substreamBits: 16 })
    driver.identityDomain?.attachDev(ats, undefined)
    expect(code(machine, read(0n, { pasid: 1 }))).toBe('C_BAD_SUBSTREAMID')
    readable('stage-1-4k').attachDev(ats, undefined)
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
