// Random VT-d states: most are right to the leaf, the others have one thing wrong at one level.
import { vtdLegacy } from '@iommu/machine-qemu'
import { meets, near, spread, tooWide } from '../addresses.js'
import { createPlaces } from '../places.js'
import type { Random } from '../random.js'
import type { Probe } from '../subject.js'
import { apart, classAt, levelOnWay, sometimesFlipped, tweakWalk, tweakWay } from '../plan.js'
import type { Page, Tweak } from '../plan.js'
import type { VtdPlan, WayPoint } from './plan.js'

/** Devices that the boards have: the second one has its context entry in the upper table of scalable mode. */
export const SOURCES = [0x20, 0x80] as const

/** Where nothing is: beyond RAM and every window, and inside of 48 bits. */
const NOWHERE = 0x40_0000_0000n
/** Where pages lie: every board of VT-d has the same memory. */
export const places = createPlaces(vtdLegacy)
/** Addresses of devices and interrupts: a device that passes must not meet them. */
const DEVICES = { start: 0xe000_0000n, end: 0x1_0000_0000n }

type Make = (random: Random, base: VtdPlan) => VtdPlan

/** log2 of a page's size. */
export const shiftOf = ({ level }: Pick<Page, 'level'>): number => 12 + 9 * (level - 1)
/** Bits of device address. */
const widthOf = (levels: number): number => 12 + 9 * levels

const wayPoints = ({ mode }: VtdPlan): readonly WayPoint[] =>
  mode === 'legacy' ? ['root', 'context'] : ['root', 'context', 'directory', 'pasid']

const IGNORED_BITS = [52, 55, 58, 61] as const

export const newPage = (random: Random, levels: number, level: number): Page => {
  const shift = shiftOf({ level })
  // Canonical, and away from devices and interrupts.
  const half = BigInt.asUintN(widthOf(levels) - 1, spread(random, widthOf(levels)) & ~((1n << BigInt(shift)) - 1n))
  const iova = meets([DEVICES], half) ? half + DEVICES.end : half
  return { iova, level, target: places.target(random, shift), entries: { [level]: sometimesFlipped(random, IGNORED_BITS) } }
}

const ABSENT: Readonly<Record<VtdPlan['mode'], Tweak>> = {
  'legacy': { fields: { R: 0, W: 0 } }, 'second-stage': { fields: { R: 0, W: 0 } }, 'first-stage': { fields: { P: 0 } },
}

const permissions = ({ mode }: VtdPlan): readonly Tweak[] => (mode === 'first-stage'
  ? [{ fields: { RW: 0 } }, { fields: { US: 0 } }, { fields: { RW: 0, US: 0 } }]
  : [{ fields: { W: 0 } }, { fields: { R: 0 } }])

const absent: Make = (random, plan) => {
  const point = random.weighted<WayPoint | 'walk'>([[5, 'walk'], ...wayPoints(plan).map((each) => [1, each] as const)])
  if (point === 'walk') return tweakWalk(plan, levelOnWay(random, plan), ABSENT[plan.mode])
  const whole = point === 'pasid' && random.chance(50)
  const fields = point === 'root' && plan.mode !== 'legacy' ? { LP: 0, UP: 0 } : whole ? { P: 0, PGTT: 0, AW: 0, DID: 0 } : { P: 0 }
  return tweakWay(plan, point, { fields })
}

/** Bits that must be zero, by entry; of page-table entries by level. */
const reserved: Make = (random, plan) => {
  const legacy = plan.mode === 'legacy'
  const bits: Readonly<Record<WayPoint, readonly number[]>> = {
    root: [1, 5, 11, ...(legacy ? [64, 100, 127] : [65, 75])],
    context: legacy ? [4, 7, 11, 71, 90, 127] : [5, 8, 90, 127, 128, 200],
    directory: [2, 7, 11],
    pasid: [10, 11, 80, 85, 192, 400],
  }
  const point = random.weighted<WayPoint | 'walk'>([[4, 'walk'], ...wayPoints(plan).map((each) => [1, each] as const)])
  if (point !== 'walk') return tweakWay(plan, point, { flips: [random.pick(bits[point])] })
  const level = levelOnWay(random, plan)
  const leaf = level === plan.pages[0]?.level
  const choices = [48, 51, ...(level === 4 ? [7] : []), ...(leaf && plan.mode !== 'first-stage' ? [11] : []),
    ...(leaf && level > 1 ? [13 + random.below(9 * (level - 1) - 1)] : [])]
  return tweakWalk(plan, level, { flips: [random.pick(choices)] })
}

const unreadable: Make = (random, plan) => {
  const at = NOWHERE + (BigInt(random.below(0x1000)) << 12n)
  const point = random.weighted<WayPoint | 'walk'>([[4, 'walk'], ...wayPoints(plan).map((each) => [1, each] as const)])
  switch (point) {
    case 'root': return tweakWay(plan, 'root', { fields: plan.mode === 'legacy' ? { CTP: at } : { LCTP: at, UCTP: at } })
    case 'context': return tweakWay(plan, 'context', { fields: plan.mode === 'legacy' ? { SSPTPTR: at } : { PASIDDIRPTR: at } })
    case 'directory': return tweakWay(plan, 'directory', { fields: { SMPTBLPTR: at } })
    case 'pasid': return tweakWay(plan, 'pasid', { fields: plan.mode === 'first-stage' ? { FSPTPTR: at } : { SSPTPTR: at } })
    case 'walk': {
      const level = levelOnWay(random, plan)
      // A leaf that points nowhere is no fault of the tables.
      return level === plan.pages[0]?.level ? tweakWay(plan, 'root', { fields: plan.mode === 'legacy' ? { CTP: at } : { LCTP: at, UCTP: at } })
        : tweakWalk(plan, level, { fields: { ADDR: at } })
    }
    default: return point satisfies never
  }
}

const wrong: Make = (random, plan) => {
  if (plan.mode === 'legacy') {
    return tweakWay(plan, 'context', { fields: random.pick([{ TT: 1 }, { TT: 3 }, { AW: 0 }, { AW: 3 }, { AW: 4 }]) })
  }
  const second = plan.mode === 'second-stage'
  return tweakWay(plan, 'pasid', { fields: random.pick<Readonly<Record<string, number>>>([
    { PGTT: 0 }, { PGTT: 3 }, { PGTT: second ? 1 : 2 }, { PGTT: 5 }, ...(second ? [{ AW: 0 }, { AW: 3 }, { AW: 5 }] : [{ FSPM: 1 }]),
  ]) })
}

const silent: Make = (random, plan) => {
  const broken = random.pick([absent, reserved, wrong])(random, plan)
  const points = wayPoints(plan).filter((each) => each !== 'root')
  const point = random.pick(points)
  const before = broken.way[point] ?? {}
  return tweakWay(broken, point, { ...before, fields: { ...before.fields, FPD: 1 } })
}

const mixedPermissions: Make = (random, plan) => ({
  ...plan,
  pages: plan.pages.map((page) => {
    const level = page.level + random.below(plan.levels - page.level + 1)
    return { ...page, entries: { ...page.entries, [level]: random.pick(permissions(plan)) } }
  }),
})

const passThrough: Make = (_random, plan) => (plan.mode === 'legacy'
  ? tweakWay(plan, 'context', { fields: { TT: 2 } })
  : tweakWay(plan, 'pasid', { fields: { PGTT: 4 } }))

/** Requests without PASID belong to another entry than the first: of the same table, of another, or of one that is not there. */
const otherPasid: Make = (random, plan) => (plan.mode === 'legacy' ? plan
  : tweakWay(plan, 'context', { fields: { RID_PASID: random.pick([1, 5, 63, 70, 200]) } }))

const asItIs: Make = (_random, plan) => plan

/** Classes, and how many of 113 or 120 states are of each; those that are right to the leaf are more than half. */
const CLASSES = [
  { name: 'small pages', weight: 22, make: asItIs, leafLevels: [1] },
  { name: 'large pages', weight: 15, make: asItIs, leafLevels: [2, 3] },
  { name: 'pages of all sizes', weight: 12, make: asItIs, leafLevels: [1, 2, 3] },
  { name: 'permissions', weight: 13, make: mixedPermissions, leafLevels: [1, 2, 3] },
  { name: 'pass-through', weight: 7, make: passThrough, leafLevels: [1] },
  { name: 'not present', weight: 8, make: absent, leafLevels: [1, 2, 3] },
  { name: 'reserved bit', weight: 8, make: reserved, leafLevels: [1, 2, 3] },
  { name: 'unreadable table', weight: 7, make: unreadable, leafLevels: [1, 2, 3] },
  { name: 'programmed wrongly', weight: 7, make: wrong, leafLevels: [1] },
  { name: 'address too wide', weight: 7, make: asItIs, leafLevels: [1] },
  { name: 'silent', weight: 7, make: silent, leafLevels: [1, 2] },
  { name: 'another RID_PASID', weight: 7, make: otherPasid, leafLevels: [1, 2], scalable: true },
] as const

const classesOf = (mode: VtdPlan['mode']): readonly (typeof CLASSES)[number][] =>
  CLASSES.filter((each) => mode !== 'legacy' || !('scalable' in each))

export const generatePlan = (random: Random, mode: VtdPlan['mode'], turn: number): VtdPlan => {
  const chosen = classAt(classesOf(mode), turn)
  const levels = mode === 'first-stage' ? 4 : random.pick([3, 4, 4] as const)
  const pages = Array.from({ length: 1 + random.below(5) }, () => newPage(random, levels, random.pick<number>(chosen.leafLevels)))
  const plan: VtdPlan = {
    class: chosen.name, source: random.pick(SOURCES), mode, levels, way: {}, pages: apart(pages, shiftOf),
  }
  return chosen.make(random, plan)
}

/** Canonical addresses of the upper half are no fault. */
const notCanonical = ({ mode }: VtdPlan, address: bigint): bigint => (mode === 'first-stage' ? address & ~(1n << 47n) : address)

const BROKEN: readonly string[] = ['not present', 'reserved bit', 'unreadable table']

/** Probes of a plan: pages and what lies beside them, reads and writes. */
export const probesOf = (random: Random, plan: VtdPlan): Probe[] => {
  const { source, levels, pages } = plan
  const asked = { broken: BROKEN.includes(plan.class), places, shiftOf }
  return Array.from({ length: 8 }, (): Probe => {
    const access = random.pick(['read', 'write'] as const)
    if (plan.class === 'address too wide' && random.chance(75)) return { source, access, address: notCanonical(plan, tooWide(random, widthOf(levels))) }
    if (plan.class === 'pass-through') return { source, access, address: random.chance(80) ? places.address(random) : random.bits(47) & ~7n }
    return { source, access, address: near(random, pages, asked) }
  }).filter(({ address }) => !meets([DEVICES], address))
}

