// SMMUv3's events, which kernels print over several lines.
import { encode } from '@iommu/bits'
import { events, permissionEvent, streamFetchEvent } from '@iommu/driver-arm-smmuv3/queues'
import { describe, expect, test } from 'vitest'
import { explain, explainLog } from '../src/index.js'
import type { Explained, Explanation } from '../src/index.js'
import { capturesIn, dmesgAt, LARGER, OWN } from './recorded.js'

const SMMU = 'arm-smmu-v3 9050000.smmuv3:'
const hexWord = (word: bigint): string => `0x${word.toString(16).padStart(16, '0')}`

/** An event as kernels print it: its code, then four words, each on a line. */
const lines = (code: number, words: readonly bigint[], time = '1.0', smmu = SMMU): string[] => [
  `[${time}] ${smmu} event 0x${code.toString(16).padStart(2, '0')} received:`,
  ...words.map((word) => `[${time}] ${smmu} \t${hexWord(word)}`),
]

const only = ({ items }: Explanation): Explained => {
  expect(items).toHaveLength(1)
  return items[0] as Explained
}

const READ = [0x0000_0020_0000_0010n, 0x0000_0208_0000_0000n, 0xdead_0000n, 0n]

describe('an event', () => {
  test('four words are joined with their code', async () => {
    const item = only(await explainLog(lines(0x10, READ).join('\n')))
    expect(item).toMatchObject({
      kind: 'dma-fault', vendor: 'smmuv3', code: 0x10, name: 'F_TRANSLATION', device: 'stream 0x20', address: '0xdead0000',
      access: 'read', count: 1, details: ['unprivileged data access', 'stage 1', 'while translating: input address'],
      input: `[1.0] ${SMMU} event 0x10 received: ${READ.map(hexWord).join(' ')}`,
    })
    expect(item).not.toHaveProperty('pasid')
  })

  test('on one line, as people paste it', async () => {
    const item = only(await explain('event 0x10 received: 0x0000000100000010 0x0000020000000000 0x00000000ffffe040 0x00000000ffffe040'))
    expect(item).toMatchObject({ name: 'F_TRANSLATION', device: 'stream 0x1', access: 'write', address: '0xffffe040' })
  })

  test('what newer kernels say besides names the device', async () => {
    const item = only(await explainLog([
      ...lines(0x10, READ),
      `[1.1] ${SMMU} event: F_TRANSLATION client: 0000:00:04.0 sid: 0x20 ssid: 0x0 iova: 0xdead0000 ipa: 0x0`,
      `[1.2] ${SMMU} unpriv data read s1 "Input address caused fault" stag: 0x0`,
    ].join('\n')))
    expect(item).toMatchObject({ device: '0000:00:04.0', address: '0xdead0000', access: 'read' })
    expect(item.details).toContain('stream 0x20')
  })

  test('what newer kernels say is enough where the words are missing', async () => {
    const item = only(await explainLog([
      `${SMMU} event: F_PERMISSION client: 0000:00:04.0 sid: 0x20 ssid: 0x5 iova: 0x200000 ipa: 0x0`,
      `${SMMU} priv inst write s2 "Input address caused fault" stall stag: 0x42`,
    ].join('\n')))
    expect(item).toMatchObject({ code: 0x13, device: '0000:00:04.0', pasid: 5, access: 'write', address: '0x200000' })
    expect(item.details).toEqual(expect.arrayContaining(['privileged instruction access', 'stage 2', expect.stringContaining('tag 0x42')]))
  })

  test('a stream without a device is named by its number', async () => {
    const item = only(await explainLog([
      ...lines(0x04, [0x0000_0110_0000_0004n, 0n, 0n, 0n]),
      `${SMMU} event: C_BAD_STE client: (unassigned sid) sid: 0x110 ssid: 0x0`,
    ].join('\n')))
    expect(item).toMatchObject({ name: 'C_BAD_STE', device: 'stream 0x110', code: 4 })
    expect(item).not.toHaveProperty('access')
  })

  test('an SSID, a stall, a second stage', async () => {
    const words = encode(permissionEvent, {
      ID: 0x13, SSV: 1, SSID: 5, SID: 0x110, STAG: 0x42, Stall: 1, PnU: 1, S2: 1, CLASS: 2, InputAddr: 0x5000n, IPA: 0x9000n,
    })
    const item = only(await explainLog(lines(0x13, words).join('\n')))
    expect(item).toMatchObject({ pasid: 5, access: 'write', address: '0x5000' })
    expect(item.details).toEqual([
      'privileged data access', 'stage 2', 'while translating: input address', 'intermediate address 0x9000',
      'stalled, tag 0x42: the device waits for an answer',
    ])
  })

  test('the address of what could not be read', async () => {
    const words = encode(streamFetchEvent, { ID: 0x03, SID: 0x20, FetchAddr: 0x1_2345_6780n })
    expect(only(await explainLog(lines(0x03, words).join('\n'))).details).toEqual(['could not read 0x123456780'])
  })

  test('events of two SMMUs that are mixed line by line stay apart', async () => {
    const other = 'arm-smmu-v3 9060000.smmuv3:'
    const [a, b] = [lines(0x10, READ), lines(0x10, [0x0000_0030_0000_0010n, 0x0000_0200_0000_0000n, 0x1000n, 0n], '1.0', other)]
    const { items } = await explainLog(a.flatMap((line, index) => [line, b[index] as string]).join('\n'))
    expect(items.map(({ device, address, access }) => [device, address, access])).toEqual([
      ['stream 0x20', '0xdead0000', 'read'], ['stream 0x30', '0x1000', 'write'],
    ])
  })

  test('one that was cut off says what is known of it: who it was stands in its first word', async () => {
    const item = only(await explainLog(lines(0x10, READ.slice(0, 2)).join('\n')))
    expect(item).toMatchObject({ code: 0x10, device: 'stream 0x20', reading: '2 of 4 words of the event are there: where is not told' })
    expect(item).not.toHaveProperty('pasid')
    expect(item).not.toHaveProperty('address')
    expect(only(await explainLog(`${SMMU} event 0x10 received:\n${SMMU} \t0x0000c60000005810`))).toMatchObject({ device: 'stream 0xc600', pasid: 5 })
    const none = only(await explainLog(`${SMMU} event 0x10 received:`))
    expect(none).toMatchObject({ code: 0x10, reading: expect.stringContaining('who and where') })
    expect(none).not.toHaveProperty('device')
  })

  test('unknown codes are called unknown, those of the implementation are its own', async () => {
    const unknown = only(await explainLog(lines(0x77, [0x0000_0020_0000_0077n, 0n, 0n, 0n]).join('\n')))
    expect(unknown).toMatchObject({ code: 0x77, name: 'SMMUv3 event 0x77', device: 'stream 0x20' })
    expect(unknown).not.toHaveProperty('meaning')
    expect(only(await explain('smmuv3:0xe3'))).toMatchObject({ meaning: expect.stringContaining('maker of this SMMU') })
  })
})

describe('names', () => {
  test('every event by its code and by its name', async () => {
    for (const { code, name, meaning } of events.values()) {
      expect(only(await explain(`smmuv3:0x${code.toString(16)}`))).toMatchObject({ kind: 'fault-code', name, meaning })
      expect(only(await explain(name))).toMatchObject({ code })
    }
  })

  test('a code without its vendor is what each that knows it says', async () => {
    const { items } = await explain('0x02')
    expect(items.map(({ vendor }) => vendor)).toEqual(['vtd', 'amd', 'smmuv3'])
    expect((await explain('0xcc')).items).toEqual([{ kind: 'fault-code', input: '0xcc', count: 1, code: 0xcc, name: 'fault code 0xcc' }])
  })

  test.each([['smmu.ste.Config', 'smmuv3.ste.Config'], ['arm.cd.ASID', 'smmuv3.cd.ASID'], ['amd-vi.dte.GV', 'amd.dte.GV'], ['S1DSS', 'smmuv3.ste.S1DSS']])(
    '%s is %s', async (name, found) => expect(only(await explain(name)).name).toBe(found))
})

describe('other lines', () => {
  test('errors of the SMMU', async () => {
    expect(only(await explain(`${SMMU} unexpected global error reported (0x00000001), this could be serious`)))
      .toMatchObject({ kind: 'fault-status', meaning: expect.stringContaining('CMDQ') })
    expect(only(await explain(`${SMMU} EVTQ overflow detected -- events lost`))).toMatchObject({ kind: 'log-error' })
    expect(only(await explain(`${SMMU} CMD_SYNC timeout at 0x00000010 [hwprod 0x00000010, hwcons 0x0000000f]`))).toMatchObject({ kind: 'queue-error' })
    expect(only(await explain('arm_smmu_dump_event: 22 callbacks suppressed'))).toMatchObject({ kind: 'suppressed' })
  })

  test('a command that was refused, with its words', async () => {
    const item = only(await explainLog([
      `${SMMU} CMDQ error (cons 0x01000003): Illegal command`, `${SMMU} skipping command in error state:`,
      `${SMMU} \t0x0000011000000003`, `${SMMU} \t0x0000000000000001`,
    ].join('\n')))
    expect(item).toMatchObject({ kind: 'queue-error', meaning: expect.stringContaining('refuses a command') })
    expect(item.details).toEqual([expect.stringMatching(/^the command is CMD_CFGI_STE: .*SID=0x110.*Leaf\+/)])
  })

  test('what is no fault is counted', async () => {
    const { items, otherLines } = await explainLog(`${SMMU} allocated 32768 entries for evtq\n${SMMU} oas 44-bit (features 0x01088705)`)
    expect([items, otherLines]).toEqual([[], 2])
  })
})

describe('recorded logs', () => {
  const folders = [OWN, LARGER].flatMap((folder) => capturesIn(folder, 'arm').map((name) => `${folder}${name}`))
  const told: Readonly<Record<string, string>> = { '0000:00:04.0': 'read', '0000:00:06.0': 'write' }

  test.each(folders)('%s', async (folder) => {
    const text = dmesgAt(folder)
    const { items } = await explainLog(text)
    const faults = items.filter(({ kind }) => kind === 'dma-fault')
    expect(faults.reduce((sum, { count }) => sum + count, 0)).toBe((text.match(/event 0x[0-9a-f]+ received/g) ?? []).length)
    for (const { device = '', access, address = '', code, details } of faults) {
      // Older addresses are of edu, told to read; the test device was told to write here.
      expect({ access, code, there: /^0x(?:dead|17765)/.test(address) || /^0x(?:1|2|3|f)/.test(address) })
        .toEqual({ access: told[device], code: 0x10, there: true })
      expect(details).toContain(folder.includes('-stage2-') ? 'stage 2' : 'stage 1')
    }
  })
})
