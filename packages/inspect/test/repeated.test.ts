// Lines that a log daemon wrote once for several, and reports that the kernel left out: what is sure is counted, the rest is said.
import { describe, expect, test } from 'vitest'
import { createLogExplainer, explainedBlocks, explainLog, explanationSummary } from '../src/index.js'

const FAULT = '[  144.480641] DMAR: [DMA Read] Request device [00:02.0] PASID ffffffff fault addr 9c000000 [fault reason 06] PTE Read access is not set'
const HOST = 'Oct  5 12:00:02 host'

describe('repeated lines', () => {
  test.each([
    ['rsyslog', `${HOST} kernel: ${FAULT}\n${HOST} kernel: message repeated 3 times: [ ${FAULT}]`, 4],
    ['many', `${HOST} kernel: message repeated 800 times: [ ${FAULT}]`, 800],
    ['an older syslog', `${HOST} kernel: ${FAULT}\n${HOST} last message repeated 5 times\n${HOST} last message repeated 20 times`, 26],
    ['with dashes', `${HOST} kernel: ${FAULT}\n${HOST} --- last message repeated 1 time ---`, 2],
    ['of nothing', `${HOST} last message repeated 5 times\n${HOST} kernel: ${FAULT}`, 1],
    ['of another line', `${HOST} kernel: ${FAULT}\n${HOST} kernel: usb 1-1: new device\n${HOST} last message repeated 5 times`, 1],
    ['no times at all', `${HOST} kernel: ${FAULT}\n${HOST} last message repeated 0 times`, 1],
  ])('%s', async (_what, text, count) => {
    const { items, devices } = await explainLog(text)
    expect(items).toMatchObject([{ kind: 'dma-fault', device: '00:02.0', count }])
    expect(devices).toMatchObject([{ faults: count, distinct: 1, reasons: [{ code: 6, count }] }])
  })

  test('the line before stood in the piece before', async () => {
    const log = createLogExplainer()
    await log.write(`${FAULT}\n`)
    await log.write(`${HOST} last message repeated 5 times\n`)
    expect((await log.end()).devices).toMatchObject([{ faults: 6 }])
  })

  test('words of an SMMU\'s event, of which three are equal', async () => {
    const speaker = 'kernel: arm-smmu-v3 arm-smmu-v3.0.auto:'
    const { items } = await explainLog([
      `${speaker} event 0x07 received:`, `${speaker} \t0x0000010000000007`, `${speaker} \t0x0000000000000000`,
      `kernel: message repeated 2 times: [ ${speaker} \t0x0000000000000000]`,
    ].join('\n'))
    expect(items).toMatchObject([{ code: 7, device: 'stream 0x100', count: 1, input: expect.stringMatching(/(?: 0x[0-9a-f]{16}){4}$/) }])
  })

  test('other IOMMU lines', async () => {
    const { otherLines } = await explainLog(`${HOST} kernel: DMAR: IOMMU enabled\n${HOST} last message repeated 30 times`)
    expect(otherLines).toBe(31)
  })
})

describe('reports that the kernel left out', () => {
  test('are added up, and make the counts the least', async () => {
    const said = await explainLog([FAULT, 'dmar_fault: 893 callbacks suppressed', FAULT, '[  149.4] dmar_fault: 107 callbacks suppressed'].join('\n'))
    expect(said.items).toMatchObject([{ kind: 'dma-fault', count: 2 }, { kind: 'suppressed', vendor: 'vtd', count: 2, suppressed: 1000 }])
    expect(explainedBlocks(said)[1]).toEqual({
      title: 'dmar_fault: 893 callbacks suppressed  (2 times)',
      rows: [['note', '1,000 reports left out by the kernel to spare the log; of which devices it does not say, so counts are lower than the truth']],
    })
    expect(explanationSummary(said)).toContain('1,000 reports left out by the kernel, of devices that it does not name: the counts are the least')
  })

  test('one vendor\'s are not another\'s, and those of older SMMUs are nobody\'s', async () => {
    const { items } = await explainLog(['riscv_iommu_fault: 9 callbacks suppressed', 'amd_iommu_report_page_fault: 7 callbacks suppressed', 'arm_smmu_context_fault: 8 callbacks suppressed'].join('\n'))
    expect(items.map(({ vendor, suppressed }) => [vendor, suppressed])).toEqual([['riscv', 9], ['amd', 7]])
  })
})
