// What the numbers of a command choose: among what is there, so that nearly every number means something.
import type { PagingDomain } from '@iommu/core'
import type { Failure } from './command.js'
import { groupOf, manifestAt, membersOf } from './model.js'
import type { Mapping, Model, ModelDevice, ModelDomain, ModelGroup } from './model.js'
import type { World } from './world.js'

/** How many values a number has that chooses among things: more than there ever are. */
export const ANY = 24

export const pick = <T>(from: readonly T[], drawn: number): T | undefined => from[drawn % from.length]

const FAILING: readonly Failure[] = [
  ...[1, 2, 3, 4, 5, 6].map((n) => ({ allocation: n })), { setter: 2 }, { setter: 2 },
  ...[1, 2, 3, 4].map((n) => ({ command: n })), { silent: 'unit' }, { silent: 'device TLBs' },
]

/** One number in three is a failure. */
export const FAILURES = FAILING.length * 3
export const failureOf = (drawn: number): Failure | undefined => FAILING[drawn]

/** Domains that are allocated at one time, at the most. */
export const SLOTS = 3

/** Two that all hardware with PASIDs has, and one that none has. */
export const PASIDS: readonly number[] = [5, 200, 5, 200, 1 << 20]

/** A probed device and its group. */
export interface Place {
  readonly device: ModelDevice
  readonly group: ModelGroup
}

export const placesIn = (model: Model): Place[] => model.devices.flatMap((device) => {
  const group = groupOf(model, device)
  return device.state !== 'probed' || group === undefined ? [] : [{ device, group }]
})

/** What the group of a place can be put on; allocated domains twice as often as others. */
export const targetsIn = ({ manifest, blocked, identity, slots }: Model, { group: { fallback } }: Place): ModelDomain[] => [
  ...new Set([...(manifest.blocked.rid ? [blocked] : []), ...(manifest.identity.rid ? [identity] : []), fallback]),
  ...slots.values(), ...slots.values(),
]

/** Domains with tables that the core maps in. */
export const tablesIn = (model: Model): ModelDomain[] => [...new Set([
  ...[...model.groups.values()].map(({ fallback }) => fallback), ...model.slots.values(),
])].filter((domain) => domain !== model.blocked && domain !== model.identity)

/** Mappings that no buffer is. */
export const mappingsIn = (model: Model): { readonly domain: ModelDomain; readonly mapping: Mapping }[] => {
  const buffers = new Set([...model.groups.values()].flatMap(({ buffers: all }) => all.map(({ mapping }) => mapping)))
  return tablesIn(model).flatMap((domain) => domain.mappings.flatMap((mapping) => (buffers.has(mapping) ? [] : [{ domain, mapping }])))
}

/** Where mappings begin, from the base: on both sides of a table's end, apart by the largest small page, and a large one. */
export const PLACES: readonly bigint[] = [-0x1_0000n, 0n, 0x1_0000n, 0x2_0000n, 0x20_0000n]
export const LENGTHS = 4
const TWO_PLACES = 0x2_0000n
const LARGE = 0x20_0000n
/** Frames of mappings lie further apart than places do. */
const APART = 0x40_0000n
export const FRAMES = 4

export const addressOf = ({ bench: { addresses: { base } } }: World, place: number): bigint => base + (PLACES[place] ?? 0n)

/** Physical, aligned as the place is. */
export const frameOf = ({ bench: { addresses } }: World, place: number, frame: number): bigint =>
  addresses.physical(APART * BigInt(frame + 2) + ((PLACES[place] ?? 0n) + LARGE) % LARGE)

/** A page, two pages, two places, or a large page where there are such. */
export const bytesOf = (world: World, domain: ModelDomain, length: number): bigint => {
  const { pageSizes } = world.domain(domain) as PagingDomain
  const page = pageSizes & -pageSizes
  return [page, page * 2n, TWO_PLACES, (pageSizes & LARGE) === 0n ? page : LARGE][length] ?? page
}

export const pageOf = (world: World, domain: ModelDomain): bigint => bytesOf(world, domain, 0)

/** Whether all devices of the group that have PASIDs have that many. */
export const isInRange = (model: Model, { group }: ModelDevice, pasid: number): boolean =>
  membersOf(model, group).every(({ hasPasids, unit }) => !hasPasids || pasid < manifestAt(model, unit).maxPasids)

export const hex = (value: bigint): string => `0x${value.toString(16)}`
