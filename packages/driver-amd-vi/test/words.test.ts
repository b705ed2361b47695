// What an entry says about itself, by literal words: whether it uses guest tables, GCR3[0], and under which tag it is cached.
import { describe, expect, test } from 'vitest'
import { entryTag, entryWords, guestMode, leavesRoom, usesSlot } from '../src/domains/words.js'
import type { Gcr3Facts, PointState } from '../src/domains/words.js'
import { usesGuestTables } from '../src/programming/plan.js'

// Word 0: V 0, TV 1, GIoV 54, GV 55. Word 2: GuestPagingMode from bit 54 on.
const [V, TV, GIoV, GV] = [1n, 2n, 1n << 54n, 1n << 55n]
const wordsOf = (first: bigint): bigint[] => [first, 0x7n, 1n << 54n, 0n]

interface Says { readonly guest: boolean; readonly slot: boolean; readonly mode: number | undefined; readonly tag: number | undefined }

test.each<[string, bigint, Says]>([
  ['everything', V | TV | GV | GIoV, { guest: true, slot: true, mode: 1, tag: undefined }],
  ['without GIoV', V | TV | GV, { guest: true, slot: false, mode: 1, tag: 7 }],
  ['without GV', V | TV | GIoV, { guest: false, slot: false, mode: undefined, tag: 7 }],
  ['without TV', V | GV | GIoV, { guest: false, slot: false, mode: undefined, tag: undefined }],
  ['without V', TV | GV | GIoV, { guest: false, slot: false, mode: undefined, tag: undefined }],
  ['nothing', 0n, { guest: false, slot: false, mode: undefined, tag: undefined }],
])('%s', (_what, first, { guest, slot, mode, tag }) => {
  const words = wordsOf(first)
  expect([usesGuestTables(words), usesSlot(words), guestMode(words), entryTag(words)])
    .toEqual([guest, slot, mode, tag === undefined ? undefined : { domainId: tag }])
})

const gcr3: Gcr3Facts = { root: 0x9000n, levels: 1, domainId: 7, pasids: true, guestIo: true, pasidLevels: 4 }
const [blocked, identity, host, four, five]: PointState[] = [
  { kind: 'blocked' }, { kind: 'identity' }, { kind: 'host', levels: 3, root: 0n, domainId: 5 },
  { kind: 'guest', levels: 4, root: 0n }, { kind: 'guest', levels: 5, root: 0n },
] as const

describe('PASIDs are alive beside', () => {
  const room = (facts: Gcr3Facts | undefined): boolean[] =>
    [blocked, identity, host, four, five].map((state) => leavesRoom(state as PointState, { ats: false, gcr3: facts }))
  test('everything but host tables, and guest tables of another depth', () => expect(room(gcr3)).toEqual([true, true, false, true, false]))
  test('identity, and not a block without GIoV', () => expect(room({ ...gcr3, guestIo: false })).toEqual([false, true, false, true, false]))
  test('nothing where the device has none', () => {
    expect(room({ ...gcr3, pasids: false })).toEqual([false, false, false, false, false])
    expect(room(undefined)).toEqual([false, false, false, false, false])
  })
})

test('guest tables without GIoV are no state of a requester id', () => {
  const refused = 'guest tables for requests without PASID need a GCR3 table and GIoV'
  expect(() => entryWords(four as PointState, { ats: false, gcr3: { ...gcr3, guestIo: false } }, [0n, 0n, 0n, 0n])).toThrow(new RangeError(refused))
  expect(() => entryWords(four as PointState, { ats: false, gcr3: undefined }, [0n, 0n, 0n, 0n])).toThrow(new RangeError(refused))
})
