// Random RISC-V states: most are right to the leaf, the others have one thing wrong at one level.
import { widthOfLevels } from '@iommu/driver-riscv/registers'
import type { Levels } from '@iommu/driver-riscv/registers'
import { DEVICE_WINDOW, riscv } from '@iommu/machine-qemu'
import { meets, near, spread, tooWide } from '../addresses.js'
import { createPlaces } from '../places.js'
import { apart, classAt, levelOnWay, setField, sometimesFlipped, tweakWalk, tweakWay } from '../plan.js'
import type { Fields, Tweak } from '../plan.js'
import type { Random } from '../random.js'
import type { Probe } from '../subject.js'
import { GUEST_LEAF, shiftOf } from './plan.js'
import type { RiscvPage, RiscvPlan } from './plan.js'

/** Devices that the board has. */
export const SOURCES = [0x20, 0x28] as const

/** Where nothing is: beyond RAM and every window. */
export const NOWHERE = 0x50_0000_0000n
export const places = createPlaces(riscv)

/** Where the devices that do the DMA have their own registers: to these addresses they do none. */
const WINDOWS = { start: riscv.windows, end: riscv.windows + BigInt(SOURCES.length) * DEVICE_WINDOW }

/** What a target compares. */
export type Kind = 'first' | 'second' | 'nested'

type Make = (random: Random, base: RiscvPlan) => RiscvPlan

const LEVELS: readonly Levels[] = [3, 4, 5]

/** A stage that pages are made for. */
interface StageShape {
  readonly levels: Levels
  readonly secondStage: boolean
}

/** The stage that device addresses meet. */
const stageOf = ({ first, second }: RiscvPlan): StageShape =>
  (first === undefined ? { levels: second as Levels, secondStage: true } : { levels: first, secondStage: false })

const IGNORED_BITS = [8, 9] as const

const NAPOT_CHANCE = 50

/** An address of a first stage repeats its highest bit. */
const asSeen = (address: bigint, width: number, secondStage: boolean): bigint =>
  (secondStage ? BigInt.asUintN(width, address) : BigInt.asUintN(64, BigInt.asIntN(width, address)))

/** What an entry can name: a first stage's pages lead to guest addresses of so many bits at the most. */
const ADDRESS_BITS = 56

export const newPage = (random: Random, stage: StageShape, level: number, napot = false): RiscvPage => {
  const { levels, secondStage } = stage
  const shape = { level, ...(napot ? { napot } : {}) } as const
  const shift = shiftOf(shape as RiscvPage)
  const size = 1n << BigInt(shift)
  const width = Math.min(widthOfLevels(levels, secondStage), secondStage ? ADDRESS_BITS : 64)
  // Both halves of the address space; the second GiB is where devices are.
  const iova = asSeen(spread(random, width, { upperBits: width - 30, second: 2n }) & ~(size - 1n), width, secondStage)
  // What passes must not meet the tables either.
  if (meets([WINDOWS, riscv.tables], iova, size)) return newPage(random, stage, level, napot)
  return { ...shape, iova, target: places.target(random, shift), entries: { [level]: sometimesFlipped(random, IGNORED_BITS) } } as RiscvPage
}

const withEntry = (page: RiscvPage, level: number, tweak: Tweak): RiscvPage => ({ ...page, entries: { ...page.entries, [level]: tweak } })

const LEAF_RIGHTS: readonly Tweak[] = [
  { fields: { W: 0, D: 0 } }, { fields: { W: 0, X: 0 } }, { fields: { X: 0 } }, { fields: { R: 0, W: 0 } }, { fields: { U: 0 } }, {},
]
const permissions: Make = (random, plan) => {
  const change = (pages: readonly RiscvPage[]): RiscvPage[] => pages.map((page) => withEntry(page, page.level, random.pick(LEAF_RIGHTS)))
  return { ...plan, pages: change(plan.pages), ...(plan.guests === undefined ? {} : { guests: change(plan.guests) }) }
}

/** One entry of the walk of the first page: of the first stage, or of the second one under it. */
const onWalk = (random: Random, plan: RiscvPlan, tweakAt: (level: number, leaf: boolean) => Tweak): RiscvPlan => {
  const { guests: [guest, ...others] = [], second, pages: [page] } = plan
  if (guest !== undefined && random.chance(50)) {
    const level = levelOnWay(random, { ...plan, pages: [guest], levels: second as Levels })
    return { ...plan, guests: [withEntry(guest, level, tweakAt(level, level === guest.level)), ...others] }
  }
  const level = levelOnWay(random, { ...plan, levels: stageOf(plan).levels })
  return tweakWalk(plan, level, tweakAt(level, level === page?.level))
}

const absent: Make = (random, plan) => (random.chance(20) ? tweakWay(plan, random.pick(['directory', 'device', 'device']), { fields: { V: 0 } })
  : plan.pasid !== undefined && random.chance(25) ? tweakWay(plan, 'process', { fields: { V: 0 } })
    : onWalk(random, plan, () => random.pick<Tweak>([{ fields: { V: 0 } }, { fields: { V: 0, PPN: 0n } }])))

const flags: Make = (random, plan) => {
  const fields = random.pick<Fields>([{ A: 0 }, { D: 0 }, { A: 0, D: 0 }])
  return onWalk(random, plan, (_level, leaf) => (leaf ? { fields } : {}))
}

/** Reserved bits of entries, and values that no entry may have. A page of the second stage larger than the first one's is not tried. */
const reserved: Make = (random, plan) => onWalk(random, plan, (level, leaf) => random.pick<Tweak>(leaf
  ? [{ flips: [54 + random.below(5)] }, { fields: { R: 0, X: 0 } }, { fields: { R: 0 } }, { fields: { Svrsw60t59b: 1 + random.below(3) } },
    { fields: { PBMT: 2 } },
    ...(level > 1 ? [{ flips: [10 + random.below(9 * (level - 1))] }, { fields: { N: 1 } }] : plan.guests === undefined ? [{ flips: [63] }] : [])]
  : [{ flips: [54 + random.below(5)] }, { fields: { A: 1 } }, { fields: { D: 1 } }, { fields: { U: 1 } }, { fields: { N: 1 } },
    { fields: { PBMT: 1 } }, { fields: { Svrsw60t59b: 1 } }]))

const unreadable: Make = (random, plan) => {
  const at = NOWHERE + (BigInt(random.below(0x100)) << 16n)
  const { first, second, pasid } = plan
  return random.pick([
    () => tweakWay(plan, 'pointer', { fields: { PPN: at } }),
    ...(plan.directory > 1 ? [() => tweakWay(plan, 'directory', { fields: { PPN: at } })] : []),
    ...(pasid !== undefined ? [() => tweakWay(plan, 'device', { fields: { FSC_PPN: at } }), () => tweakWay(plan, 'process', { fields: { FSC_PPN: at } })]
      : first !== undefined ? [() => tweakWay(plan, 'device', { fields: { FSC_PPN: at } })] : []),
    ...(second === undefined ? [] : [() => tweakWay(plan, 'device', { fields: { IOHGATP_PPN: at } })]),
    () => onWalk(random, plan, (_level, leaf) => (leaf ? {} : { fields: { PPN: at } })),
  ])()
}

const wrongDevice: Make = (random, plan) => tweakWay(plan, 'device', random.pick<Tweak>([
  ...[12, 23, 32, 63, 128, 139, 160].map((bit) => ({ flips: [bit] })),
  { fields: { EN_PRI: 1 } }, { fields: { T2GPA: 1 } }, { fields: { PRPR: 1 } }, { fields: { GADE: 1 } }, { fields: { SADE: 1 } },
  { fields: { SBE: 1 } }, { fields: { RCID: 1 } }, { fields: { MCID: 1 } },
  { fields: { IOHGATP_MODE: random.pick([1, 7, 11]) } }, { fields: { FSC_MODE: random.pick([4, 7, 11]) } },
  ...(plan.pasid === undefined ? [{ fields: { DPE: 1 } }, { flips: [236] }] : [{ fields: { FSC_MODE: 2 } }, { flips: [251] }]),
  ...(plan.second === undefined ? [] : [{ flips: [64] }, { flips: [65] }]),
  ...(plan.extended ? [{ flips: [300] }, { flips: [372] }, { flips: [448] }, { fields: { MSIPTP_MODE: 2 } },
    ...(plan.second === undefined ? [{ fields: { MSIPTP_MODE: 1 } }] : [])] : []),
]))

const wrongProcess: Make = (random, plan) => tweakWay(plan, 'process', random.pick<Tweak>([
  { flips: [3] }, { flips: [11] }, { flips: [32] }, { flips: [63] }, { flips: [108] }, { flips: [123] },
  { fields: { FSC_MODE: random.pick([1, 7, 11]) } },
]))

const wrong: Make = (random, plan) => random.pick([
  wrongDevice, wrongDevice, ...(plan.pasid === undefined ? [] : [wrongProcess]),
  ...(plan.directory > 1 ? [(_random: Random, each: RiscvPlan) => tweakWay(each, 'directory', { flips: [random.pick([1, 9, 54, 63])] })] : []),
])(random, plan)

/** No stage at all, or nothing that says that there is one. */
const bypass: Make = (random, plan) => random.pick([
  () => tweakWay(plan, 'pointer', { fields: { MODE: 1 } }),
  () => tweakWay(plan, 'device', { fields: { FSC_MODE: 0, IOHGATP_MODE: 0 } }),
  ...(plan.pasid === undefined || plan.second !== undefined ? [] : [() => tweakWay(plan, 'process', { fields: { FSC_MODE: 0 } })]),
])()

const off: Make = (_random, plan) => tweakWay(plan, 'pointer', { fields: { MODE: 0 } })

const silent: Make = (random, plan) => setField(random.pick([absent, flags, permissions, reserved])(random, plan), 'device', 'DTF', 1)

const asItIs: Make = (_random, plan) => plan

/** Classes, and how many of a deal are of each; those that are right to the leaf are more than half. `leaves`: pages, larger leaves, or both. */
const CLASSES = [
  { name: 'pages', weight: 18, make: asItIs, leaves: 'pages' },
  { name: 'large pages', weight: 14, make: asItIs, leaves: 'large' },
  { name: 'pages of all sizes', weight: 12, make: asItIs, leaves: 'both' },
  { name: 'permissions', weight: 10, make: permissions, leaves: 'both' },
  { name: 'bypass', weight: 6, make: bypass, leaves: 'pages' },
  { name: 'off', weight: 6, make: off, leaves: 'pages' },
  { name: 'not valid', weight: 6, make: absent, leaves: 'both' },
  { name: 'accessed and dirty', weight: 6, make: flags, leaves: 'both' },
  { name: 'reserved', weight: 6, make: reserved, leaves: 'both' },
  { name: 'unreadable table', weight: 6, make: unreadable, leaves: 'both' },
  { name: 'programmed wrongly', weight: 6, make: wrong, leaves: 'pages' },
  { name: 'address too wide', weight: 6, make: asItIs, leaves: 'pages' },
  { name: 'silent', weight: 6, make: silent, leaves: 'both' },
] as const

const LARGE = [2, 3] as const

const newPages = (random: Random, stage: StageShape, leaves: 'pages' | 'large' | 'both'): RiscvPage[] => apart(
  Array.from({ length: 1 + random.below(5) }, () => {
    const large = leaves === 'large' || (leaves === 'both' && random.chance(50))
    const napot = large && random.chance(NAPOT_CHANCE)
    return newPage(random, stage, large && !napot ? random.pick(LARGE) : 1, napot)
  }), shiftOf)

/** A guest's addresses: its pages lead there, and each is mapped by a second stage's page of the same size. */
const guestsOf = (random: Random, pages: readonly RiscvPage[], levels: Levels): Pick<RiscvPlan, 'pages' | 'guests'> => {
  const stage = { levels, secondStage: true }
  const guests = pages.map(({ level, napot }) => newPage(random, stage, level, napot === true))
  const kept = apart([GUEST_LEAF, ...guests], shiftOf)
  const paired = pages.flatMap((page, index) => {
    const guest = guests[index] as RiscvPage
    return kept.includes(guest) ? [{ page: { ...page, target: guest.iova }, guest }] : []
  })
  return paired.length === 0 ? guestsOf(random, pages, levels) : { pages: paired.map(({ page }) => page), guests: paired.map(({ guest }) => guest) }
}

/** PASIDs of the widest directory that QEMU has; 0 is a request without one to it. */
const pasidOf = (random: Random): number => random.pick([1, 2, 5, 128, 255, 1 + random.below(255)])

export const generatePlan = (random: Random, { kind, extended }: { readonly kind: Kind; readonly extended: boolean }, turn: number): RiscvPlan => {
  const chosen = classAt(CLASSES, turn)
  const levels = random.pick(LEVELS)
  const stages = kind === 'first' ? { first: levels } : kind === 'second' ? { second: levels } : { first: levels, second: random.pick(LEVELS) }
  const pages = newPages(random, { levels, secondStage: kind === 'second' }, chosen.leaves)
  const plan: RiscvPlan = {
    class: chosen.name, source: random.pick(SOURCES), extended, directory: random.pick([1, 2, 3] as const), ...stages, way: {}, pages,
    ...(kind === 'nested' ? guestsOf(random, pages, stages.second as Levels) : {}),
    ...(kind !== 'second' && random.chance(60) ? { pasid: pasidOf(random) } : {}),
  }
  return chosen.make(random, plan)
}

const BROKEN: readonly string[] = ['not valid', 'accessed and dirty', 'reserved', 'unreadable table', 'programmed wrongly', 'silent']

/** Questions with PASIDs are about whole pages. */
const asAsked = (probe: Probe): Probe => (probe.pasid === undefined ? probe : { ...probe, address: probe.address & ~0xfffn })

/** The PASID of a request, if it has one: without process contexts none is allowed. */
const askedPasid = (random: Random, pasid: number | undefined): Pick<Probe, 'pasid'> => {
  if (pasid === undefined) return random.chance(5) ? { pasid: 5 } : {}
  return random.chance(50) ? { pasid } : {}
}

/** Probes of a plan: pages and what lies beside them, reads and writes, with the PASID and without one. */
export const probesOf = (random: Random, plan: RiscvPlan): Probe[] => {
  const { source, pages, pasid } = plan
  const { levels, secondStage } = stageOf(plan)
  const asked = { broken: BROKEN.includes(plan.class), places, shiftOf }
  const probe = (): Probe => {
    const who = { source, ...askedPasid(random, pasid) }
    const access = random.pick(['read', 'write'] as const)
    if (plan.class === 'address too wide' && random.chance(75)) return { ...who, access, address: tooWide(random, widthOfLevels(levels, secondStage)) }
    if (plan.class === 'bypass') return { ...who, access, address: places.address(random) }
    return { ...who, access, address: near(random, pages, asked) }
  }
  return Array.from({ length: 8 }, () => asAsked(probe())).filter(({ address }) => !meets([WINDOWS], address))
}
