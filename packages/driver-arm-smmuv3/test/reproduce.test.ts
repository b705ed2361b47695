// The driver's words beside those that Linux 7.3.4 left in memory: from kind of domain, ids and roots alone.
import { describe, expect, test } from 'vitest'
import { decode } from '@iommu/bits'
import { captured, capturedTables, capturesOf } from '../../../tools/driver-tests/captures.js'
import { abortWords, contextWords, levelOneStreamWords, streamWords, tablesFormat } from '../src/reproduce.js'
import type { PointState } from '../src/reproduce.js'
import { contextDescriptor, levelOneStream, readCapabilities, streamEntry, streamTableBase } from '../src/tables/index.js'
import type { Capabilities } from '../src/tables/index.js'

const captures = capturesOf('arm')

interface Expected {
  readonly devices: readonly {
    readonly bdf: string
    readonly effectFromTables: string
    readonly words: readonly string[]
    readonly cd0: readonly string[] | null
  }[]
}

const capabilitiesOf = (capture: string): Capabilities => {
  const { registers } = captured<{ readonly registers: readonly { readonly name: string; readonly value: string }[] }>(capture, 'registers')
  const value = (name: string): number => Number(registers.find((each) => each.name === name)?.value)
  return readCapabilities({ IDR0: value('IDR0'), IDR1: value('IDR1'), IDR3: value('IDR3'), IDR5: value('IDR5') })
}

/** What was set, as the entries themselves name it: its kind, its id and its root. */
const described = (capabilities: Capabilities, words: readonly bigint[], cd: readonly bigint[] | undefined): PointState => {
  const e = decode(streamEntry, words)
  if (e.Config === 4) return { kind: 'bypass' }
  if (e.Config === 6) return { kind: 'stage 2', format: tablesFormat({ stage: 2, granule: 12, capabilities }), root: e.S2TTB, vmid: e.S2VMID }
  if (e.Config !== 5 || cd === undefined) return { kind: 'blocked' }
  const d = decode(contextDescriptor, cd)
  return { kind: 'stage 1', context: contextWords({ capabilities, granule: 12, inputBits: 48, root: d.TTB0, asid: d.ASID }) }
}

describe.skipIf(captures.length === 0)('the words that Linux wrote', () => {
  test.each(captures)('%s', (capture) => {
    const capabilities = capabilitiesOf(capture)
    const { devices } = captured<Expected>(capture, 'expected')
    expect(devices.length).toBeGreaterThan(0)
    for (const { bdf, words, cd0 } of devices) {
      const theirs = words.map(BigInt)
      const context = cd0?.map(BigInt)
      const state = described(capabilities, theirs, context)
      const contexts = { address: decode(streamEntry, theirs).S1ContextPtr, max: 0, leaves: false }
      expect([bdf, streamWords({ capabilities, ats: false, contexts }, state, false)]).toEqual([bdf, theirs])
      if (state.kind === 'stage 1') expect([bdf, state.context]).toEqual([bdf, context])
    }
  })
})

describe.skipIf(captures.length === 0)('the descriptors above them', () => {
  test.each(captures)('%s', (capture) => {
    const { registers } = captured<{ readonly registers: readonly { readonly name: string; readonly value: string }[] }>(capture, 'registers')
    const { pages } = captured<{ readonly pages: Readonly<Record<string, number>> }>(capture, 'tables')
    const base = decode(streamTableBase, [BigInt(registers.find(({ name }) => name === 'STRTAB_BASE')?.value ?? 0)]).ADDR
    const bytes = capturedTables(capture)
    const page = Object.entries(pages).find(([address]) => BigInt(address) === (base & ~0xfffn))?.[1] as number
    // Bus 0 has devices: its streams have a table of 256.
    const word = bytes.readBigUInt64LE(page + Number(base & 0xfffn))
    expect(levelOneStreamWords(decode(levelOneStream, [word]).L2Ptr, 8)).toEqual([word])
  })
})

test('what was never set aborts, as in the stream tables of Linux', () => expect(abortWords()).toEqual([1n, 0n, 0n, 0n, 0n, 0n, 0n, 0n]))
