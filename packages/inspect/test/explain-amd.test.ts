// AMD-Vi's event lines, of every kind that kernels print.
import { encode } from '@iommu/bits'
import { events, ioPageFaultEvent } from '@iommu/driver-amd-vi/queues'
import { describe, expect, test } from 'vitest'
import { explain, explainLog } from '../src/index.js'
import type { Explained } from '../src/index.js'
import { capturesIn, dmesgAt, LARGER, OWN } from './recorded.js'

const one = async (line: string): Promise<Explained> => {
  const { items } = await explain(line)
  expect(items).toHaveLength(1)
  return items[0] as Explained
}

/** "PR+ RW+" of those that are set. */
const set = ({ flags = [] }: Explained): string[] => flags.filter(({ value }) => value !== 0).map(({ name }) => name)

describe('an invalid request', () => {
  // Linux printed 0xa00 for such addresses on real machines: type 5.
  test.each([
    ['0x0a00', 'request of type 5, which is unknown here'], ['0x0e00', 'request of type 7, which is unknown here'],
    ['0x0200', 'request of type 1: translated request without ATS (unconfirmed)'], ['0x0000', 'request of type 0: read or translation in the interrupt range (unconfirmed)'],
  ])('flags %s', async (flags, said) => {
    const { details } = await one(`AMD-Vi: Event logged [INVALID_DEVICE_REQUEST device=00:00.1 pasid=0x00000 address=0xfffffffdf8000000 flags=${flags}]`)
    expect(details).toEqual([said])
  })
})

describe('lines', () => {
  test.each<[string, Partial<Explained>]>([
    [
      'AMD-Vi: Event logged [IO_PAGE_FAULT device=03:00.0 domain=0x000d address=0xcff49550 flags=0x0070]',
      { kind: 'dma-fault', device: '03:00.0', domainId: 13, address: '0xcff49550', access: 'write', code: 2, name: 'IO_PAGE_FAULT' },
    ],
    [
      '[  10.1] nvme 0000:01:00.0: AMD-Vi: Event logged [IO_PAGE_FAULT domain=0x0017 address=0xfdf8ffc0 flags=0x0000]',
      { device: '0000:01:00.0', domainId: 0x17, address: '0xfdf8ffc0', access: 'read' },
    ],
    [
      'Nov 22 17:40:01 host kernel: pci 0000:00:00.2: AMD-Vi: Event logged [ILLEGAL_DEV_TABLE_ENTRY device=0000:03:00.0 pasid=0x00000 address=0xfffffffdf8000000 flags=0x0a00]',
      { kind: 'dma-fault', device: '0000:03:00.0', code: 1, address: '0xfffffffdf8000000' },
    ],
    [
      'AMD-Vi: Event logged [DEV_TAB_HARDWARE_ERROR device=0000:03:00.0 address=0x1000 flags=0x0000]',
      { kind: 'dma-fault', device: '0000:03:00.0', code: 3 },
    ],
    [
      'AMD-Vi: Event logged [PAGE_TAB_HARDWARE_ERROR device=0000:03:00.0 pasid=0x0000 address=0x1000 flags=0x0000]',
      { kind: 'dma-fault', code: 4 },
    ],
    ['pci 0000:00:00.2: AMD-Vi: Event logged [ILLEGAL_COMMAND_ERROR address=0x12340]', { kind: 'queue-error', code: 5, address: '0x12340' }],
    ['AMD-Vi: Event logged [COMMAND_HARDWARE_ERROR address=0x12340 flags=0x0000]', { kind: 'queue-error', code: 6 }],
    ['AMD-Vi: Event logged [IOTLB_INV_TIMEOUT device=0000:03:00.0 address=0x12340]', { kind: 'queue-error', code: 7, device: '0000:03:00.0' }],
    [
      'AMD-Vi: Event logged [INVALID_DEVICE_REQUEST device=0000:03:00.0 pasid=0x00005 address=0xfffffffdf8000000 flags=0x0a00]',
      { kind: 'dma-fault', code: 8, pasid: 5 },
    ],
    [
      'AMD-Vi: Event logged [INVALID_PPR_REQUEST device=0000:03:00.0 pasid=0x00005 address=0x1000 flags=0x0000 tag=0x003]',
      { kind: 'dma-fault', code: 9, pasid: 5, details: ['tag 0x3'] },
    ],
    [
      'AMD-Vi: Event logged [RMP_PAGE_FAULT vmg_tag=0x0000, gpa=0x1000, flags_rmp=0x0000, flags=0x0000]',
      { kind: 'dma-fault', code: 13, address: '0x1000' },
    ],
    ['AMD-Vi: Event logged [RMP_HW_ERROR vmg_tag=0x0000, spa=0x1000, flags=0x0000]', { kind: 'dma-fault', code: 14 }],
    ['AMD-Vi: Completion-Wait loop timed out', { kind: 'queue-error' }],
    ['AMD-Vi: IOMMU Event log restarting', { kind: 'log-error' }],
  ])('%s', async (line, expected) => expect(await one(line)).toMatchObject({ vendor: 'amd', count: 1, ...expected }))

  test('every event that is known has a line above, and a meaning that is not the kernel\'s', async () => {
    for (const { code, name, meaning, confirmedBy } of events.values()) {
      expect(await one(`amd:${code}`)).toMatchObject({ kind: 'fault-code', code, name, meaning, confirmedBy })
      expect(await one(name)).toMatchObject({ code })
    }
  })

  // Linux prints "pasid=" in each of these, whatever GN says.
  test.each<[string, Pick<Explained, 'pasid' | 'pasidSaid' | 'domainId'>]>([
    ['ILLEGAL_DEV_TABLE_ENTRY device=0000:03:00.0 pasid=0x00000 address=0xfffffffdf8000000 flags=0x0a00', {}],
    ['ILLEGAL_DEV_TABLE_ENTRY device=0000:03:00.0 pasid=0x00000 address=0x1000 flags=0x0001', { pasid: 0 }],
    ['PAGE_TAB_HARDWARE_ERROR device=0000:03:00.0 pasid=0x000d address=0x1000 flags=0x0020', { domainId: 13 }],
    ['PAGE_TAB_HARDWARE_ERROR device=0000:03:00.0 domain=0x000d address=0x1000 flags=0x0020', { domainId: 13 }],
    ['PAGE_TAB_HARDWARE_ERROR device=0000:03:00.0 pasid=0x000d address=0x1000 flags=0x0021', { pasid: 13 }],
    ['INVALID_DEVICE_REQUEST device=0000:00:00.0 pasid=0x00000 address=0xfffffffdf8000000 flags=0x0a00', { pasidSaid: false }],
    ['INVALID_DEVICE_REQUEST device=0000:00:00.0 pasid=0x00005 address=0xfffffffdf8000000 flags=0x0a00', { pasid: 5 }],
    ['INVALID_PPR_REQUEST device=0000:03:00.0 pasid=0x00000 address=0x1000 flags=0x0000 tag=0x003', {}],
    ['INVALID_PPR_REQUEST device=0000:03:00.0 pasid=0x00000 address=0x1000 flags=0x0200 tag=0x003', { pasid: 0 }],
    ['DEV_TAB_HARDWARE_ERROR device=0000:03:00.0 address=0x1000 flags=0x0000', { pasidSaid: false }],
    ['IO_PAGE_FAULT device=0000:03:00.0 domain=0x000d addr', { pasidSaid: false }],
    ['IO_PAGE_FAULT device=0000:03:00.0 domain=0x000d address=0x1000 flags=0x0020', { domainId: 13 }],
    ['IOTLB_INV_TIMEOUT device=0000:03:00.0 address=0x1000', {}],
  ])('whose PASID or domain it is: %s', async (event, expected) => {
    const { pasid, pasidSaid, domainId } = await one(`AMD-Vi: Event logged [${event}]`)
    expect({ pasid, pasidSaid, domainId }).toEqual({ pasid: undefined, pasidSaid: undefined, domainId: undefined, ...expected })
  })

  test('a line of an IOMMU has no device of its own', async () =>
    expect(await one('pci 0000:00:00.2: AMD-Vi: Event logged [ILLEGAL_COMMAND_ERROR address=0x12340]')).not.toHaveProperty('device'))

  test('an event that nobody knows is called unknown, by its name or by its code', async () => {
    const named = await one('AMD-Vi: Event logged [SOMETHING_NEW device=0000:03:00.0 address=0x1000 flags=0x0000]')
    expect(named).toMatchObject({ kind: 'dma-fault', name: 'SOMETHING_NEW', device: '0000:03:00.0' })
    expect(named).not.toHaveProperty('meaning')
    expect(named).not.toHaveProperty('code')
    const words = await one('AMD-Vi: Event logged [UNKNOWN event[0]=0x00000300 event[1]=0xc0000000 event[2]=0x00001000 event[3]=0x00000000]')
    expect(words).toMatchObject({ code: 12, name: 'AMD-Vi event 12' })
    expect(words).not.toHaveProperty('meaning')
  })
})

describe('flags of a page fault, decoded by the layout', () => {
  const line = (flags: number): string =>
    `AMD-Vi: Event logged [IO_PAGE_FAULT device=03:00.0 domain=0x0001 address=0x1000 flags=0x${flags.toString(16).padStart(4, '0')}]`
  const flagsOf = (values: Parameters<typeof encode<typeof ioPageFaultEvent.fields>>[1]): number =>
    Number((encode(ioPageFaultEvent, values)[0] as bigint) >> 48n)

  test.each<[string, Parameters<typeof flagsOf>[0], string[], string]>([
    ['nothing mapped, a read', {}, [], 'no page is mapped'],
    ['nothing mapped, a write', { RW: 1 }, ['RW'], 'no page is mapped'],
    ['no permission', { PR: 1, RW: 1, PE: 1 }, ['PR', 'RW', 'PE'], 'do not allow this access'],
    ['a reserved bit', { PR: 1, RZ: 1 }, ['PR', 'RZ'], 'refuses a page table entry'],
    ['an interrupt', { I: 1 }, ['I'], 'an interrupt was blocked'],
    ['present, and no reason', { PR: 1 }, ['PR'], 'do not say'],
  ])('%s', async (_what, values, names, so) => {
    const item = await one(line(flagsOf(values)))
    expect(set(item)).toEqual(names)
    expect(item.so).toContain(so)
    expect(item).not.toHaveProperty('reading')
  })

  test('with GN what the line calls a domain is a PASID', async () => {
    const item = await one(line(flagsOf({ GN: 1 })).replace('domain=0x0001', 'domain=0x12345'))
    expect(item).toMatchObject({ pasid: 0x12345 })
    expect(item).not.toHaveProperty('domainId')
  })

  test.each([[0x9, 'read'], [0xa, 'write']])('QEMU\'s form, 0x%s, is said to be QEMU\'s', async (flags, access) => {
    const item = await one(line(flags).replace('0x0001', '0x0000').replace('0x1000', '0x0'))
    expect(item).toMatchObject({ kind: 'dma-fault', access, reading: expect.stringContaining('QEMU') })
    // The same flags with an address are the manual's.
    expect(await one(line(flags))).toMatchObject({ kind: 'interrupt-fault' })
  })
})

describe('what the kernel prints after an event', () => {
  test('the device table entry is decoded, and what is wrong with it is shown', async () => {
    const { items } = await explainLog([
      'AMD-Vi: Event logged [ILLEGAL_DEV_TABLE_ENTRY device=03:00.0 pasid=0x00000 address=0x1000 flags=0x0080]',
      'AMD-Vi: DTE[0]: 6000000123456617', 'AMD-Vi: DTE[1]: 0000000000000005', 'AMD-Vi: DTE[2]: 0000000000000000',
      'AMD-Vi: DTE[3]: 0000000000000000',
    ].join('\n'))
    expect(items).toHaveLength(1)
    expect(items[0]?.details).toEqual([expect.stringMatching(/^the device table entry is V\+ TV\+ .*Mode=3-level.*!reserved\[6:2\]=0x5/)])
  })

  test('a command is named by its opcode', async () => {
    const { items } = await explainLog([
      'AMD-Vi: Event logged [ILLEGAL_COMMAND_ERROR address=0x12340]',
      'AMD-Vi: CMD[0]: 00000110', 'AMD-Vi: CMD[1]: 20000000', 'AMD-Vi: CMD[2]: 00000000', 'AMD-Vi: CMD[3]: 00000000',
    ].join('\n'))
    expect(items).toHaveLength(1)
    expect(items[0]?.details).toEqual(['the invalidate_devtab_entry is DeviceID=0x110 Opcode=2'])
  })
})

describe('recorded logs', () => {
  const folders = [OWN, LARGER].flatMap((folder) => capturesIn(folder, 'amd').map((name) => `${folder}${name}`))
  // edu was told to read, the test device to write.
  const told: Readonly<Record<string, string>> = { '0000:00:04.0': 'read', '0000:00:06.0': 'write' }

  test.each(folders)('%s', async (folder) => {
    const text = dmesgAt(folder)
    const { items } = await explainLog(text)
    const faults = items.filter(({ kind }) => kind === 'dma-fault')
    expect(faults.reduce((sum, { count }) => sum + count, 0)).toBe((text.match(/Event logged/g) ?? []).length)
    for (const { device = '', access, code, meaning, reading } of faults) {
      expect({ access, code, known: meaning !== undefined }).toEqual({ access: told[device], code: 2, known: true })
      expect(reading).toContain('address 0')
    }
  })
})
