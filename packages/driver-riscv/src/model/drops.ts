// What each command names, as adversarial mode asks: by the tags that copies hold.
import { decode, describe, renderLine } from '@iommu/bits'
import type { Entry } from '@iommu/bits'
import { dropsNothing } from '@iommu/hardware'
import type { Command, CommandEvent, Drop, Held } from '@iommu/hardware'
import { atsInvalidate, COMMANDS, commandLayout, invalidateDevice, invalidateFirstStage, invalidateProcess } from '../tables/index.js'
import { layoutOf, pageRange } from './queue.js'

type Words = readonly bigint[]
type Place = Pick<Held<unknown>, 'first' | 'last'>

/** Identifiers of the two stages are numbered apart: a GSCID as a domain is above all PSCIDs. */
export const domainOfGscid = (gscid: number): number => 2 ** 20 + gscid

const meets = ([first, last]: readonly [number, number], held: Place): boolean => held.first <= last && held.last >= first

/** Pages of some tags: all of them, or those of a range, and what leads to them only where the command says so. */
const pages = (words: Words, named: (tag: Held<unknown>['tag']) => boolean): Drop => {
  const { AV, ADDR, S, NL } = decode(invalidateFirstStage, words)
  const range = pageRange(ADDR, S === 1)
  return {
    ...dropsNothing,
    translation: (held) => named(held.tag) && (AV === 0 || (meets(range, held) && (held.kind === 'leaf' || NL === 1))),
  }
}

const firstStage = (words: Words): Drop => {
  const { GV, PSCV, PSCID } = decode(invalidateFirstStage, words)
  // First stages under a second one are not in this mode: none is ever held.
  return pages(words, ({ space, domain }) => space === 'first' && GV === 0 && (PSCV === 0 || domain === PSCID))
}

const secondStage = (words: Words): Drop => {
  const { GV, GSCID } = decode(invalidateFirstStage, words)
  return pages(words, ({ space, domain }) => space === 'second' && (GV === 0 || domain === domainOfGscid(GSCID)))
}

const devices = (words: Words): Drop => {
  const { DV, DID } = decode(invalidateDevice, words)
  return { ...dropsNothing, entry: ({ source }) => DV === 0 || source === DID }
}

const process = (words: Words): Drop => {
  const { DID, PID } = decode(invalidateProcess, words)
  return { ...dropsNothing, entry: ({ cache, source, pasid }) => cache === 'process' && source === DID && pasid === PID }
}

const device = (words: Words): Drop => {
  const { RID, PV, PID, G, S, UADDR } = decode(atsInvalidate, words)
  const range = pageRange(UADDR, S === 1)
  const pasid = PV === 1 ? PID : 0
  return { ...dropsNothing, device: (held) => held.tag.domain === RID && (G === 1 || held.tag.pasid === pasid) && meets(range, held) }
}

const of = ({ OPCODE, FUNC }: { readonly OPCODE: number; readonly FUNC: number }): Entry | undefined => commandLayout(OPCODE, FUNC)

const drops: readonly (readonly [layout: Entry | undefined, kind: string, drop: (words: Words) => Drop])[] = [
  [of(COMMANDS.invalidateFirstStage), 'iotinval', firstStage],
  [of(COMMANDS.invalidateSecondStage), 'iotinval', secondStage],
  [of(COMMANDS.invalidateDevice), 'iodir', devices],
  [of(COMMANDS.invalidateProcess), 'iodir', process],
  [of(COMMANDS.atsInvalidate), 'ats', device],
]

/** A command as adversarial mode knows it. Hardware has reported it by moving its head: a fence has completed by then. */
export const commandOf = ({ words }: CommandEvent): Command | undefined => {
  const layout = layoutOf(words)
  if (layout === undefined) return undefined
  const text = renderLine(describe(layout, words))
  if (layout === of(COMMANDS.fence)) return { text, kind: 'fence', completes: true, fences: true }
  const [, kind, drop] = drops.find(([each]) => each === layout) ?? []
  return kind === undefined || drop === undefined ? undefined : { text, kind, drop: drop(words), completes: false, fences: false }
}
