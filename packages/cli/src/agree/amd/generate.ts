// Random AMD-Vi states: most are right to the leaf, the others have one thing wrong at one level.
import { amdVi } from '@iommu/machine-qemu'
import { meets, near, spread, tooWide } from '../addresses.js'
import { createPlaces } from '../places.js'
import { apart, classAt, levelOnWay, setField, sometimesFlipped, tweakWalk, tweakWay } from '../plan.js'
import type { Tweak } from '../plan.js'
import type { Random } from '../random.js'
import type { Probe } from '../subject.js'
import { levelOf, widthOf } from './plan.js'
import type { AmdPage, AmdPlan } from './plan.js'

/** Devices that the board has; the second one lies beyond a device table of one page. */
export const SOURCES = [0x20, 0x88] as const

/** Where nothing is: beyond RAM and every window, and inside of 48 bits. */
export const NOWHERE = 0x40_0000_0000n
/** Addresses of a PC's display and ROMs, and of devices and interrupts: a device that passes must not meet them. */
const HOLE = { start: 0xa_0000n, end: 0x10_0000n }
const DEVICES = { start: 0xe000_0000n, end: 0x1_0000_0000n }

export const places = createPlaces(amdVi)

type Make = (random: Random, base: AmdPlan) => AmdPlan

const IGNORED_BITS = [1, 2, 7, 63] as const

export const newPage = (random: Random, levels: number, shift: number): AmdPage => {
  const size = 1n << BigInt(shift)
  const iova = spread(random, widthOf(levels)) & ~(size - 1n)
  if (meets([HOLE, DEVICES, amdVi.tables], iova, size)) return newPage(random, levels, shift)
  const level = levelOf(shift)
  return { iova, level, shift, target: places.target(random, shift), entries: { [level]: sometimesFlipped(random, IGNORED_BITS) } }
}

const PERMISSIONS: readonly Tweak[] = [{ fields: { IW: 0 } }, { fields: { IR: 0 } }]

const leafPermissions: Make = (random, plan) => ({
  ...plan,
  pages: plan.pages.map((page) => ({ ...page, entries: { ...page.entries, [page.level]: random.pick([...PERMISSIONS, {}]) } })),
})

/** Less is granted above the leaf, in a table or in the device table entry. */
const permissionsAbove: Make = (random, plan) => {
  const level = levelOnWay(random, plan)
  return level === plan.pages[0]?.level ? tweakWay(plan, 'device', random.pick(PERMISSIONS)) : tweakWalk(plan, level, random.pick(PERMISSIONS))
}

const ABSENT: readonly Tweak[] = [{ fields: { PR: 0 } }, { fields: { PR: 0, IR: 0, IW: 0, ADDR: 0n, NextLevel: 0, FC: 0 } }]
const absent: Make = (random, plan) => tweakWalk(plan, levelOnWay(random, plan), random.pick(ABSENT))

const reserved: Make = (random, plan) => {
  if (random.chance(40)) return tweakWay(plan, 'device', { flips: [random.pick([2, 4, 6, 63, 180, 181, 192, 206, 240, 245])] })
  const level = levelOnWay(random, plan)
  const bits = [52, 55, 58, ...(level === plan.pages[0]?.level ? [] : [60])]
  return tweakWalk(plan, level, { flips: [random.pick(bits)] })
}

const unreadable: Make = (random, plan) => {
  const at = NOWHERE + (BigInt(random.below(0x1000)) << 12n)
  const level = levelOnWay(random, plan)
  if (level !== plan.pages[0]?.level) return tweakWalk(plan, level, { fields: { ADDR: at } })
  return random.chance(50) ? setField(plan, 'table', 'Base', at) : setField(plan, 'device', 'HostPTRoot', at)
}

const wrongEntry: Make = (random, plan) => tweakWay(plan, 'device', { fields: random.pick<Readonly<Record<string, number>>>([
  { Mode: 7 }, { HAD: 2 }, { HAD: 3 }, { GIoV: 1 }, { GV: 1, GLX: 3 },
]) })

/** The level of the next table is its own or above: of a leaf it says then that it is none. */
const wrongLevel: Make = (random, plan) => {
  const level = levelOnWay(random, plan)
  return tweakWalk(plan, level, { fields: { NextLevel: random.pick([level, Math.min(level + 1, 6)]) } })
}

/** What a device without translation meets: it passes, or it is blocked. */
const untranslated: Make = (random, plan) => tweakWay(plan, 'device', random.pick<Tweak>([
  { fields: { Mode: 0 } }, { fields: { V: 0 } }, { fields: { Mode: 0, IW: 0 } },
]))
const blocked: Make = (random, plan) => tweakWay(plan, 'device', random.pick<Tweak>([
  { fields: { TV: 0 } }, { fields: { TV: 0, Mode: 0, HostPTRoot: 0n, IR: 0, IW: 0 } },
  { fields: { Mode: 0, IR: 0, IW: 0 } }, { fields: { IR: 0, IW: 0 } },
]))

const silent: Make = (random, plan) => setField(random.pick([absent, reserved, leafPermissions])(random, plan), 'device', 'SA', 1)

/** A device table of one page: the second device lies beyond it. */
const beyondTable: Make = (_random, plan) => tweakWay({ ...plan, source: SOURCES[1] }, 'table', { fields: { Size: 0 } })

const wrong: Make = (random, plan) => random.pick([wrongEntry, wrongLevel, beyondTable])(random, plan)

const asItIs: Make = (_random, plan) => plan

const SIZES = [12, 21, 30, ...Array.from({ length: 20 }, (_, at) => 13 + at)].filter((shift) => shift <= 30)
const OWN = [12, 21, 30] as const

/** Classes, and how many of a deal are of each; those that are right to the leaf are more than half. */
const CLASSES = [
  { name: 'small pages', weight: 16, make: asItIs, shifts: [12] },
  { name: 'pages of a level', weight: 12, make: asItIs, shifts: [21, 30] },
  { name: 'pages that hold their size', weight: 14, make: asItIs, shifts: SIZES.filter((shift) => (shift - 12) % 9 !== 0) },
  { name: 'pages of all sizes', weight: 12, make: asItIs, shifts: SIZES },
  { name: 'permissions', weight: 10, make: leafPermissions, shifts: SIZES },
  { name: 'permissions above the leaf', weight: 6, make: permissionsAbove, shifts: OWN },
  { name: 'untranslated', weight: 6, make: untranslated, shifts: [12] },
  { name: 'blocked', weight: 6, make: blocked, shifts: [12] },
  { name: 'not present', weight: 6, make: absent, shifts: OWN },
  { name: 'reserved bit', weight: 6, make: reserved, shifts: OWN },
  { name: 'unreadable table', weight: 6, make: unreadable, shifts: OWN },
  { name: 'programmed wrongly', weight: 6, make: wrong, shifts: OWN },
  { name: 'address too wide', weight: 6, make: asItIs, shifts: [12] },
  { name: 'silent', weight: 6, make: silent, shifts: OWN },
] as const

export const generatePlan = (random: Random, turn: number): AmdPlan => {
  const chosen = classAt(CLASSES, turn)
  const shifts: readonly number[] = chosen.shifts
  // Of 6 levels the highest has 7 bits of index, and every address fits.
  const levels = chosen.name === 'address too wide' ? 1 + random.below(5) : random.pick([1, 2, 3, 3, 4, 4, 5, 6])
  const possible = shifts.filter((shift) => levelOf(shift) <= levels)
  const deep = possible.length > 0 ? levels : levelOf(Math.min(...shifts))
  const sizes = possible.length > 0 ? possible : shifts.filter((shift) => levelOf(shift) <= deep)
  const pages = Array.from({ length: 1 + random.below(5) }, () => newPage(random, deep, random.pick(sizes)))
  const plan: AmdPlan = { class: chosen.name, source: random.pick(SOURCES), levels: deep, way: {}, pages: apart(pages, ({ shift }) => shift) }
  return chosen.make(random, plan)
}

const BROKEN: readonly string[] = ['not present', 'reserved bit', 'unreadable table', 'programmed wrongly', 'permissions above the leaf', 'silent']

/** Probes of a plan: pages and what lies beside them, reads and writes. */
export const probesOf = (random: Random, plan: AmdPlan): Probe[] => {
  const { source, levels, pages } = plan
  const asked = { broken: BROKEN.includes(plan.class), places, shiftOf: ({ shift }: AmdPage) => shift }
  return Array.from({ length: 8 }, (): Probe => {
    const access = random.pick(['read', 'write'] as const)
    if (plan.class === 'address too wide' && random.chance(75)) return { source, access, address: tooWide(random, widthOf(levels)) }
    if (plan.class === 'untranslated') return { source, access, address: random.chance(80) ? places.address(random) : random.bits(47) & ~7n }
    return { source, access, address: near(random, pages, asked) }
  }).filter(({ address }) => !meets([DEVICES], address))
}
