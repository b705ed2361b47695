// One machine in its forms: a recording loaded into QEMU's memory and dumped by QEMU answers as the recording and its debugfs text do.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { findInstallation } from '@iommu/machine-qemu'
import type { Installation } from '@iommu/machine-qemu'
import { capture } from './command.js'
import { BOARDS, dumpOnQemu, recordedPages } from './dumped.js'
import { AMD, debugfsOf, DUMPED, PASIDS, QUESTIONS, sameAnswers } from './source-tools.js'
import type { Question } from './source-tools.js'
import { describeOnQemu } from './with-qemu.js'

interface Machine {
  readonly name: string
  readonly recording: string
  readonly board: keyof typeof BOARDS
  readonly questions: readonly Question[]
  /** Vendor of the debugfs text, where the kernel had any. */
  readonly debugfs?: 'intel' | 'amd'
  /** AMD's text has no page tables. */
  readonly printed?: readonly Question[]
}

const stage1 = 'arm-7.3.4-stage1-edu-faulted-pending'
const MACHINES: readonly Machine[] = [
  { name: 'VT-d, legacy mode', recording: capture(DUMPED), board: 'intel', questions: QUESTIONS[DUMPED] ?? [], debugfs: 'intel' },
  { name: 'VT-d, PASIDs', recording: capture(PASIDS), board: 'intel', questions: QUESTIONS[PASIDS] ?? [], debugfs: 'intel' },
  {
    name: 'AMD-Vi', recording: AMD, board: 'amd', debugfs: 'amd',
    questions: [{ rid: '00:05.0', iovas: ['0xffefd840', '0x1000'] }, { rid: '00:02.0', iovas: ['0x1000'] }],
    printed: [{ rid: '00:02.0', iovas: ['0x1000'] }],
  },
  { name: 'SMMUv3, stage 1', recording: capture(stage1), board: 'arm', questions: [{ rid: '00:04.0', iovas: ['0x40212340', '0x102008', '0xdead000'] }] },
]

describeOnQemu('one machine as capture, debugfs text, ELF core and raw image', () => {
  const folder = mkdtempSync(join(tmpdir(), 'iommu-forms-'))
  afterAll(() => rmSync(folder, { recursive: true }))

  test.each(MACHINES)('$name', { timeout: 120_000 }, async ({ recording, board, questions, debugfs, printed = questions }) => {
    const here = mkdtempSync(join(folder, 'ram-'))
    const { raw, elf } = await dumpOnQemu(findInstallation() as Installation, BOARDS[board], 256, recordedPages(recording), here)
    const registers = ['--registers', join(recording, 'registers.json')]
    await sameAnswers(recording, [elf, ...registers], questions)
    await sameAnswers(recording, [raw, '--base', `0x${BOARDS[board].base.toString(16)}`, ...registers], questions)
    if (debugfs !== undefined) await sameAnswers(recording, ['-'], printed, { input: debugfsOf(recording, debugfs), whole: false })
    rmSync(here, { recursive: true })
    expect(questions.length).toBeGreaterThan(0)
  })
})
