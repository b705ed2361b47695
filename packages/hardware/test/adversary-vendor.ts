// A made-up vendor with one entry and two levels of tables, so that the mechanism is tested without any real one.
//
//   entry at ENTRY   word 0: bit 0 P, 63:12 root | word 1: domain | word 2: added to every address | word 3: unused
//   table entries    bit 0 present, 63:12 the next table or the page; the first table has one entry, for all
import { createAdversary, dropsNothing, outcomeKey, PhysicalMemory } from '../src/index.js'
import type { Adversary, AdversaryOptions, Command, DmaRequest, Fetch, Fetched, Shape, Vendor } from '../src/index.js'

export const ENTRY = 0x1000n
export const ROOT = 0x2000n
export const LEAVES = 0x3000n
export const PAGE = 0x8000n
export const OTHER = 0x9000n

const probe: DmaRequest = { source: 1, kind: 'untranslated', address: 0n, access: 'read' }

interface Entry {
  readonly root: bigint
  readonly domain: number
  readonly offset: bigint
}

export interface Rules {
  readonly shape?: Partial<Shape>
  /** Entries and pages that are absent are kept too. */
  readonly keepsAbsent?: boolean
  readonly options?: AdversaryOptions
  readonly coherent?: boolean
  /** The device has a TLB of its own. */
  readonly ats?: boolean
}

const frame = (address: bigint): number => Number(address >> 12n)

const readEntry = (read: Fetch, address: bigint, shape: Shape, keepsAbsent: boolean): Fetched<Entry | undefined> => {
  const word = read(address, shape)
  const tag = { cache: 'entry', source: 1, pasid: 0 }
  if ((word(0) & 1n) === 0n) {
    return { value: undefined, key: 'absent', keeps: keepsAbsent, names: [], tag: { ...tag, domain: 0, absent: true } }
  }
  const value = { root: word(0) & ~0xfffn, domain: Number(word(1)), offset: word(2) }
  return {
    value, key: `${value.root} ${value.domain} ${value.offset}`, keeps: true, names: [frame(value.root)],
    tag: { ...tag, domain: value.domain, absent: false },
  }
}

/** Commands: "entry" and "pages" of a domain, "pages" with 1 leaves tables alone; "device" of a source; "wait" tells the driver. */
const commands: Readonly<Record<string, (domain: number, leavesOnly: boolean) => Command>> = {
  entry: (domain) => ({
    text: `entry ${domain}`, kind: 'entry', completes: false, fences: false,
    drop: { ...dropsNothing, entry: (tag) => tag.absent || tag.domain === domain },
  }),
  pages: (domain, leavesOnly) => ({
    text: `pages ${domain}`, kind: 'pages', completes: false, fences: false, mandated: 'the manual says so',
    drop: { ...dropsNothing, translation: ({ tag, kind }) => tag.domain === domain && !(leavesOnly && kind === 'table') },
  }),
  device: (source) => ({
    text: `device ${source}`, kind: 'device', completes: false, fences: false,
    drop: { ...dropsNothing, device: ({ tag }) => tag.domain === source },
  }),
  wait: () => ({ text: 'wait', kind: 'wait', completes: true, fences: false }),
  fence: () => ({ text: 'fence', kind: 'fence', completes: false, fences: true }),
}

export interface Made {
  readonly memory: PhysicalMemory
  readonly adversary: Adversary
  /** Where the entry is: a register that says so. */
  place: bigint
  ats: boolean
  /** How often hardware was asked what a request may meet. */
  readonly tries: number
  command(name: string, domain?: number, leavesOnly?: boolean): void
  /** Everything that the probe may meet, sorted. */
  met(sight?: 'flight' | 'next' | 'memory'): string[]
}

/** A machine with the entry absent, tables under ROOT that lead to PAGE, and an adversary that probes address 0. */
export const make = ({ shape = {}, keepsAbsent = false, options = {}, coherent = true, ats = false }: Rules = {}): Made => {
  const whole: Shape = { bytes: 32, atomBytes: 8, order: 'present-first', ...shape }
  const memory = new PhysicalMemory({ bytes: 0x10_0000n, tables: { start: 0x8_0000n, end: 0x10_0000n }, coherent })
  const made = { place: ENTRY, tries: 0, ats }
  memory.store64(ROOT, LEAVES | 1n)
  memory.store64(LEAVES, PAGE | 1n)
  memory.writeBack(ROOT, 0x2000)
  const vendor: Vendor<bigint, bigint> = {
    translate(request, look) {
      made.tries++
      const entry = look.entry({ key: 'entry', place: made.place, fetch: (read, place) => readEntry(read, place, whole, keepsAbsent) })
      if (entry === undefined) return { result: 'blocked' }
      const page = look.translation({
        tag: { space: 'pages', domain: entry.domain, pasid: 0 },
        frame: frame(request.address),
        from: String(entry.root),
        walk(view, start, reach) {
          const link = start ?? view.load64(entry.root)
          if ((link & 1n) === 1n && start === undefined) {
            reach({ value: link, key: String(link), first: 0, last: 511, page: frame(link) })
          }
          const value = (link & 1n) === 0n ? 0n : view.load64(link & ~0xfffn)
          return { value, key: String(value), keeps: keepsAbsent || (value & 1n) === 1n, first: 0, last: 0 }
        },
      })
      if ((page & 1n) === 0n) return { result: 'blocked' }
      return {
        result: 'translated', address: (page & ~0xfffn) + entry.offset + (request.address & 0xfffn), tag: `domain ${entry.domain}`, attributes: {},
        permissions: { read: true, write: true }, pageSize: 4096n,
      }
    },
    settings: () => [made.place],
    command: (event) => (event.kind === 'command' ? commands[event.name]?.(Number(event.words[0]), event.words[1] === 1n) : undefined),
    ordered: (earlier, later) => earlier.kind === 'pages' && later.kind === 'entry',
    hasDeviceTlb: () => made.ats,
  }
  const machine = { memory, observe: memory.events.observe }
  const adversary = createAdversary(machine, vendor, { probes: [probe], ...options })
  return Object.assign(made, {
    memory,
    adversary,
    command(name: string, domain = 0, leavesOnly = false) {
      memory.events.emit({ kind: 'command', name, words: [BigInt(domain), leavesOnly ? 1n : 0n], text: name })
    },
    met: (sight: 'flight' | 'next' | 'memory' = 'flight') => adversary.outcomes(probe, sight).map((outcome) =>
      (outcome.result === 'blocked' ? 'blocked' : outcomeKey(outcome).replace(' {}', ''))).sort(),
  })
}

/** Writes the words of an entry that is absent, P last, with a barrier before it. */
export const write = ({ memory, place }: Made, domain: number, root = ROOT, offset = 0n): void => {
  memory.store64(place + 8n, BigInt(domain))
  memory.store64(place + 16n, offset)
  memory.order()
  memory.store64(place, root | 1n)
}
