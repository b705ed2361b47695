// What Linux has written for devices without a domain, and what the hardware makes of it.
import { describe, expect, test } from 'vitest'
import { decode } from '@iommu/bits'
import { entryAt, putWords, wordsAt } from '../../../tools/driver-tests/dma.js'
import { deviceTableEntry } from '../src/tables/index.js'
import { historicEntries } from '../src/variants/history.js'
import { made, read } from './scene.js'

const address = 0x12_3000n

describe.each(historicEntries.map((each) => [each.id, each] as const))('%s', (_id, { words, reads, writes }) => {
  const { machine } = made({ guest: false })
  const at = entryAt(machine, read(address), 'amd.dte')
  putWords(machine, at, words(wordsAt(machine, at, 4)))
  test.each([['read', reads], ['write', writes]] as const)('a %s: %s', (access, expected) => {
    const outcome = machine.dma(read(address, { access }))
    expect(outcome.result === 'translated' ? ['passes', outcome.address] : ['blocked', undefined]).toEqual([expected, expected === 'passes' ? address : undefined])
  })
})

test('as captures of Linux 6.12 and 7.3 have them', () => {
  const words = new Map(historicEntries.map((each) => [each.id, each.words([0n, 0n, 0n, 0n])]))
  expect(words.get('blocked-6.12')).toEqual([0x3n, 0n, 0n, 0n])
  expect(words.get('blocked-7.3')).toEqual([0x1n, 0n, 0n, 0n])
  expect(decode(deviceTableEntry, words.get('detached-2022-erratum-63') ?? [])).toMatchObject({ V: 1, TV: 1, Mode: 0, IR: 0, IW: 1 })
})
