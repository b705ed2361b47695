// What Linux has written for devices without a domain, and what the hardware makes of it.
import { describe, expect, test } from 'vitest'
import { decode } from '@iommu/bits'
import { driverOver } from '../src/backends.js'
import { createAmdMachine } from '../src/model/index.js'
import { deviceTableEntry } from '../src/tables/index.js'
import { historicEntries } from '../src/variants/history.js'

const device = { name: 'x', requesterId: 0x20 }
const address = 0x12_3000n

describe.each(historicEntries.map((each) => [each.id, each] as const))('%s', (_id, { words, reads, writes }) => {
  const machine = createAmdMachine({ profile: { guest: false } })
  const driver = driverOver([machine], () => undefined)
  driver.probeDevice(device)
  const at = machine.walk({ source: 0x20, kind: 'untranslated', address, access: 'read' }).steps[0]?.address as bigint
  const current = Array.from({ length: 4 }, (_, index) => machine.memory.load64(at + BigInt(index * 8)))
  words(current).forEach((word, index) => machine.memory.store64(at + BigInt(index * 8), word))
  test.each([['read', reads], ['write', writes]] as const)('a %s: %s', (access, expected) => {
    const outcome = machine.dma({ source: 0x20, kind: 'untranslated', address, access })
    expect(outcome.result === 'translated' ? ['passes', outcome.address] : ['blocked', undefined]).toEqual([expected, expected === 'passes' ? address : undefined])
  })
})

test('as captures of Linux 6.12 and 7.3 have them', () => {
  const words = new Map(historicEntries.map((each) => [each.id, each.words([0n, 0n, 0n, 0n])]))
  expect(words.get('blocked-6.12')).toEqual([0x3n, 0n, 0n, 0n])
  expect(words.get('blocked-7.3')).toEqual([0x1n, 0n, 0n, 0n])
  expect(decode(deviceTableEntry, words.get('detached-2022-erratum-63') ?? [])).toMatchObject({ V: 1, TV: 1, Mode: 0, IR: 0, IW: 1 })
})
