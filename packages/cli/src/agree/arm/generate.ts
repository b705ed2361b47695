// Random SMMUv3 states: most are right to the leaf, the others have one thing wrong at one level.
import type { GranuleShift } from '@iommu/driver-arm-smmuv3/registers'
import { DEVICE_WINDOW, smmuv3 } from '@iommu/machine-qemu'
import { meets, near, spread, tooWide } from '../addresses.js'
import { createPlaces } from '../places.js'
import { apart, classAt, levelOnWay, setField, sometimesFlipped, tweakWalk, tweakWay } from '../plan.js'
import type { Page, Tweak } from '../plan.js'
import type { Random } from '../random.js'
import type { Probe } from '../subject.js'
import { OUTPUT_BITS, shiftOf } from './plan.js'
import type { ArmPlan, Contexts } from './plan.js'

/** Devices that the board has. */
export const SOURCES = [0x20, 0x28] as const

/** Where nothing is: beyond RAM and every window, and inside of 44 bits. */
export const NOWHERE = 0x50_0000_0000n
export const places = createPlaces(smmuv3)

/** Where the devices that do the DMA have their own registers: to these addresses they do none. */
const WINDOWS = { start: smmuv3.windows, end: smmuv3.windows + BigInt(SOURCES.length) * DEVICE_WINDOW }
/** Where QEMU puts its device tree, at each reset. */
const DEVICE_TREE = { start: smmuv3.ram[0]?.start ?? 0n, end: smmuv3.data.start }

type Make = (random: Random, base: ArmPlan) => ArmPlan

/** Shapes of tables: levels and bits of device address. Of stage 2 some have tables side by side as their root, up to 16. */
const SHAPES: Readonly<Record<1 | 2, Readonly<Record<GranuleShift, readonly (readonly [inputBits: number, levels: number])[]>>>> = {
  1: {
    12: [[48, 4], [48, 4], [42, 4], [39, 3], [32, 3], [30, 2], [25, 2]],
    14: [[48, 4], [47, 3], [36, 2], [30, 2]],
    16: [[48, 3], [42, 2], [36, 2]],
  },
  2: {
    12: [[44, 4], [40, 4], [39, 3], [32, 3], [30, 2], [40, 3], [43, 3], [34, 2]],
    14: [[44, 3], [36, 2], [32, 2], [37, 2], [40, 2]],
    16: [[44, 3], [42, 2], [36, 2], [44, 2]],
  },
}

/** Levels whose leaves are blocks, besides pages. */
const BLOCKS: Readonly<Record<GranuleShift, readonly number[]>> = { 12: [2, 3], 14: [2], 16: [2] }

const topOf = ({ inputBits, upper }: Pick<ArmPlan, 'inputBits' | 'upper'>): bigint => (upper ? (1n << 64n) - (1n << BigInt(inputBits)) : 0n)

const IGNORED_BITS = [55, 56, 57, 58] as const

export const newPage = (random: Random, shape: Pick<ArmPlan, 'granule' | 'inputBits' | 'levels' | 'upper'>, level: number): Page => {
  const { granule, inputBits } = shape
  const shift = shiftOf(shape, level)
  const size = 1n << BigInt(shift)
  const iova = BigInt.asUintN(inputBits, spread(random, inputBits, { granule })) & ~(size - 1n)
  // A stream that bypasses must meet neither the device tree nor the tables.
  if (inputBits > 32 && meets([WINDOWS, DEVICE_TREE, smmuv3.tables], iova, size)) return newPage(random, shape, level)
  return { iova: topOf(shape) + iova, level, target: places.target(random, shift), entries: { [level]: sometimesFlipped(random, IGNORED_BITS) } }
}

const leafLevel = ({ pages: [page] }: ArmPlan): number => page?.level ?? 1

const permissions: Make = (random, plan) => ({
  ...plan,
  pages: plan.pages.map((page) => {
    const leaf: readonly Tweak[] = plan.stage === 1 ? [{ fields: { AP: 3 } }, { fields: { AP: 0 } }, { fields: { AP: 2 } }, {}]
      : [{ fields: { S2AP: 1 } }, { fields: { S2AP: 2 } }, { fields: { S2AP: 0 } }, {}]
    const above = plan.stage === 1 && page.level < plan.levels && random.chance(40)
    return {
      ...page,
      entries: above ? { ...page.entries, [page.level + 1 + random.below(plan.levels - page.level)]: { fields: { APTable: random.pick([1, 2, 3]) } } }
        : { ...page.entries, [page.level]: random.pick(leaf) },
    }
  }),
})

const ABSENT: readonly Tweak[] = [{ fields: { Valid: 0 } }, { fields: { Valid: 0, OA: 0n } }]
const absent: Make = (random, plan) => tweakWalk(plan, levelOnWay(random, plan), random.pick(ABSENT))

/** A leaf of the lowest level that says block, and one where no block can be. */
const wrongLeaf: Make = (random, plan) => tweakWalk(plan, random.pick([1, plan.levels]), { fields: { Table: 0 } })

const accessFlag: Make = (random, plan) => {
  const without = tweakWalk(plan, leafLevel(plan), { fields: { AF: 0 } })
  return random.chance(30) ? setField(without, plan.stage === 1 ? 'context' : 'stream', plan.stage === 1 ? 'AFFD' : 'S2AFFD', 1) : without
}

const addressSize: Make = (random, plan) => {
  const level = levelOnWay(random, plan)
  const beyond = (1n << BigInt(44 + random.below(4))) + (plan.pages[0]?.target ?? 0n)
  return tweakWalk(plan, level, { fields: { OA: beyond } })
}

const unreadable: Make = (random, plan) => {
  // Aligned to the largest root.
  const at = NOWHERE + (BigInt(random.below(0x40)) << 18n)
  const level = levelOnWay(random, plan)
  if (level !== leafLevel(plan)) return tweakWalk(plan, level, { fields: { OA: at } })
  if (plan.stage === 2) return setField(plan, 'stream', 'S2TTB', at)
  return random.pick([
    // Level 1 of a CD table that cannot be read leads to no context.
    ...((plan.contexts?.leafBits ?? 0) === 0 ? [() => setField(plan, 'stream', 'S1ContextPtr', at)] : []),
    () => setField(plan, 'context', plan.upper ? 'TTB1' : 'TTB0', at),
    () => setField(plan, 'level1', 'L2Ptr', at),
  ])()
}

/** A stream without SSIDs that says it has some. */
const MORE_CONTEXTS = [{ S1CDMax: 1 }, { S1CDMax: 4, S1Fmt: 1, S1DSS: 2 }]

const wrongStream: Make = (random, plan) => tweakWay(plan, 'stream', { fields: random.pick<Readonly<Record<string, number>>>(plan.stage === 1
  ? [{ V: 0 }, ...(plan.contexts === undefined ? MORE_CONTEXTS : []), { S1STALLD: 1 }, { STRW: 1 }, { EATS: 2 }]
  : [{ V: 0 }, { S2T0SZ: 18 }, { S2SL0: 3 }, { S2TG: 3 }, { S2S: 1 }, { S2ENDI: 1 }, { S2HA: 1 }, { S2HD: 1 }, { EATS: 2 }]) })

const wrongContext: Make = (random, plan) => (plan.stage === 2 ? wrongStream(random, plan) : tweakWay(plan, 'context', {
  fields: random.pick<Readonly<Record<string, number | bigint>>>([
    { V: 0 }, { AA64: 0 }, { A: 0 }, { S: 1 }, { HA: 1 }, { ENDI: 1 },
    plan.upper ? { T1SZ: 15 } : { T0SZ: 15 }, plan.upper ? { T1SZ: 40 } : { T0SZ: 40 }, plan.upper ? { TG1: 0 } : { TG0: 3 },
    plan.upper ? { TTB1: 1n << 46n } : { TTB0: 1n << 46n },
  ]),
}))

/** Streams that the table has not. */
const wrongTable: Make = (random, plan) => (plan.stage === 2 || random.chance(40) ? tweakWay(plan, 'table', { fields: { LOG2SIZE: 5 } })
  : tweakWay(plan, 'level1', { fields: { Span: random.pick([0, 5, 6, 8, 12]) } }))

const wrong: Make = (random, plan) => random.pick([wrongStream, wrongContext, wrongContext, wrongTable, wrongTable, wrongLeaf])(random, plan)

/** Of Config. */
export const BYPASS = 4
const bypass: Make = (_random, plan) => tweakWay(plan, 'stream', { fields: { Config: BYPASS } })
const abort: Make = (random, plan) => (plan.stage === 1 && (plan.contexts !== undefined || random.chance(40))
  ? tweakWay(plan, 'context', { fields: plan.upper ? { EPD1: 1 } : { EPD0: 1 } })
  : tweakWay(plan, 'stream', { fields: { Config: random.pick([0, 0, 1, 2, 3]) } }))

const silent: Make = (random, plan) => {
  const broken = random.pick([absent, accessFlag, permissions, addressSize])(random, plan)
  return plan.stage === 1 ? setField(broken, 'context', 'R', 0) : setField(broken, 'stream', 'S2R', 0)
}

/** The top byte may say anything. */
const topByte: Make = (_random, plan) => (plan.stage === 2 ? plan : tweakWay(plan, 'context', { fields: plan.upper ? { TBI1: 1 } : { TBI0: 1 } }))

const asItIs: Make = (_random, plan) => plan

/** Classes, and how many of a deal are of each; those that are right to the leaf are more than half. `leaves`: pages, blocks, or both. */
const CLASSES = [
  { name: 'pages', weight: 18, make: asItIs, leaves: 'pages' },
  { name: 'blocks', weight: 14, make: asItIs, leaves: 'blocks' },
  { name: 'pages and blocks', weight: 10, make: asItIs, leaves: 'both' },
  { name: 'upper half, top byte', weight: 10, make: topByte, leaves: 'both' },
  { name: 'permissions', weight: 10, make: permissions, leaves: 'both' },
  { name: 'bypass', weight: 6, make: bypass, leaves: 'pages', without: 'contexts' },
  { name: 'abort', weight: 6, make: abort, leaves: 'pages' },
  { name: 'not present', weight: 6, make: absent, leaves: 'both' },
  { name: 'access flag', weight: 6, make: accessFlag, leaves: 'both' },
  { name: 'address size', weight: 6, make: addressSize, leaves: 'both' },
  { name: 'unreadable table', weight: 6, make: unreadable, leaves: 'both' },
  { name: 'programmed wrongly', weight: 6, make: wrong, leaves: 'pages' },
  { name: 'address too wide', weight: 6, make: asItIs, leaves: 'pages' },
  { name: 'silent', weight: 6, make: silent, leaves: 'both' },
] as const

/** A request with an SSID does not bypass. */
const CLASSES_OF_CONTEXTS = CLASSES.filter((each) => !('without' in each))

const MAX_OF = { 0: [1, 3, 6, 10], 6: [7, 9, 12], 10: [11, 12] } as const satisfies Record<Contexts['leafBits'], readonly number[]>

/** A CD table, and further contexts whose pages have the same addresses. SSID 0 is left to requests that have none. */
const newContexts = (random: Random, shape: Pick<ArmPlan, 'granule'>, pages: readonly Page[]): Contexts => {
  const leafBits = random.pick([0, 6, 10] as const)
  const max = random.pick<number>(MAX_OF[leafBits])
  const ssids = new Set(Array.from({ length: 1 + random.below(4) }, () => 1 + random.below(2 ** max - 1)))
  const [ssid = 1, ...others] = ssids
  return {
    max, leafBits, ssid, others: others.map((each) => ({
      ssid: each, pages: pages.map(({ iova, level }) => ({ iova, level, target: places.target(random, shiftOf(shape, level)), entries: {} })),
    })),
  }
}

/** The state of a turn; `contexts`: with a CD table of more contexts than one. */
export const generatePlan = (random: Random, stage: 1 | 2, turn: number, contexts = false): ArmPlan => {
  const chosen = classAt(contexts ? CLASSES_OF_CONTEXTS : CLASSES, turn)
  const granule = random.pick([12, 12, 14, 16] as const)
  const [inputBits, levels] = random.pick(SHAPES[stage][granule])
  const upper = stage === 1 && (chosen.name === 'upper half, top byte' ? random.chance(70) : random.chance(15))
  const shape = { granule, inputBits, levels, upper }
  const blocks = BLOCKS[granule].filter((level) => level <= levels)
  const choices = { pages: [1], blocks, both: [1, ...blocks] }[chosen.leaves]
  const pages = apart(
    Array.from({ length: 1 + random.below(granule === 12 ? 5 : 3) }, () => newPage(random, shape, random.pick(choices))),
    ({ level }) => shiftOf(shape, level),
  )
  return chosen.make(random, {
    class: chosen.name, source: random.pick(SOURCES), stage, ...shape, way: {}, pages,
    ...(contexts ? { contexts: newContexts(random, shape, pages) } : {}),
  })
}

/** The SSID of a request: that of the plan mostly, another context's, or that of a context which is not there. */
const ssidOf = (random: Random, { ssid, others }: Contexts): number => {
  const taken = others.map((other) => other.ssid)
  const beside = ssid ^ 1
  const absent = beside === 0 || taken.includes(beside) ? ssid : beside
  return random.weighted([[6, ssid], ...taken.map((each) => [2, each] as const), [1, absent]])
}

const BROKEN: readonly string[] = ['not present', 'access flag', 'address size', 'unreadable table', 'programmed wrongly', 'silent']

/** Bits 63:56. */
const TOP_BYTE_SHIFT = 56n

/** Probes of a plan: pages and what lies beside them, reads and writes. */
export const probesOf = (random: Random, plan: ArmPlan): Probe[] => {
  const { source, inputBits, pages, contexts } = plan
  const asked = { broken: BROKEN.includes(plan.class), places, shiftOf: ({ level }: Page) => shiftOf(plan, level) }
  return Array.from({ length: 8 }, (): Probe => {
    const from = { source, ...(contexts === undefined ? {} : { pasid: ssidOf(random, contexts) }) }
    const access = random.pick(['read', 'write'] as const)
    if (plan.class === 'address too wide' && random.chance(75)) return { ...from, access, address: tooWide(random, inputBits) }
    if (plan.class === 'bypass') return { ...from, access, address: random.chance(15) ? tooWide(random, OUTPUT_BITS) : places.address(random) }
    const address = near(random, pages, asked)
    // With TBI the top byte is not looked at; bit 55 says which half it is.
    const top = plan.class === 'upper half, top byte' && random.chance(50) ? random.bits(8) << TOP_BYTE_SHIFT : 0n
    return { ...from, access, address: address ^ top }
  }).filter(({ address }) => !meets([WINDOWS], address))
}
