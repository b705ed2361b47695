// The words of each state as hardware finds them on its way, beside those of Linux and of the worked examples.
import type { DmaRequest } from '@iommu/hardware'
import { expect, test } from 'vitest'
import { hex } from '../../../tools/driver-tests/spell.js'
import { ats, made, NO_PASIDS, read } from './scene.js'
import type { Made } from './scene.js'

const wordsOf = ({ machine }: Made, request: DmaRequest): string[] => machine.walk(request).steps.map(({ entry, words }) => `${entry} ${hex(...words)}`)

/** A device on a domain with a page of 4 KiB to be read and written, and one of 2 MiB to be read. */
const set = (format: string): Made => {
  const all = made({ ...NO_PASIDS, ats: false })
  const domain = all.paging(format)
  domain.mapPages(0x10_0000n, 0x80_0000n, 0x1000n, 1, { read: true, write: true, noExecute: true })
  domain.mapPages(0x20_0000n, 0x100_0000n, 0x20_0000n, 1, { read: true, write: false, noExecute: true })
  domain.attachDev(ats, undefined)
  return all
}

test('a device without PASIDs: contexts as Linux writes them, leaves as in the worked examples', () => {
  const all = set('sv48')
  const steps = wordsOf(all, read(0x10_0000n))
  expect(steps.map((each) => each.split(' ')[0])).toEqual(['riscv.ddt', 'riscv.ddt', 'riscv.dc', ...Array.from({ length: 4 }, () => 'riscv.pte')])
  // tc V; ta PSCID 1; fsc mode 9 and the root.
  expect(steps[2]).toMatch(/^riscv\.dc 0x1 0x0 0x1000 0x9000000000002[0-9a-f]{3} 0x0 0x0 0x0 0x0$/)
  // 4K RW no-execute: 0xd7; 2M RO no-execute: 0x53.
  expect(steps.at(-1)).toBe(`riscv.pte ${hex((0x80_0000n >> 2n) | 0xd7n)}`)
  expect(wordsOf(all, read(0x20_0000n)).at(-1)).toBe(`riscv.pte ${hex((0x100_0000n >> 2n) | 0x53n)}`)
})
test('a second stage is in iohgatp, and nothing of the first is written', () => {
  expect(wordsOf(set('sv48x4'), read(0x10_0000n))[2]).toMatch(/^riscv\.dc 0x1 0x900010000000[0-9a-f]{4} 0x0 0x0 0x0 0x0 0x0 0x0$/)
})
test('a device with PASIDs: DPE makes requests without PASID those of process context 0', () => {
  const all = made()
  all.driver.identityDomain?.attachDev(ats, undefined)
  const steps = wordsOf(all, read(0x10_0000n))
  expect(steps[2]).toMatch(/^riscv\.dc 0x223 0x0 0x0 0x3000000000002[0-9a-f]{3} /)
  expect(steps.at(-1)).toBe('riscv.pc 0x1 0x0')
})
