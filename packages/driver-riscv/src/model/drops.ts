// What each command names, by the tags that copies hold: for the queue, which has the caches forget it, and for adversarial mode.
import { decode, describe, renderLine } from '@iommu/bits'
import type { Entry } from '@iommu/bits'
import { dropOf, sizedRange } from '@iommu/hardware'
import type { Command, CommandEvent, Names, TranslationTag } from '@iommu/hardware'
import {
  atsInvalidate, commandLayout, fence, invalidateDevice, invalidateFirstStage, invalidateProcess, invalidateSecondStage,
} from '../tables/index.js'
import { domainOfGscid } from './caches.js'

type Words = readonly bigint[]

/** Pages under some tags: all of them, or those of a range, and what leads to them only where the command says so. */
const pages = (words: Words, under: (tag: TranslationTag) => boolean): Names => {
  const { AV, ADDR, S, NL } = decode(invalidateFirstStage, words)
  return { pages: { under, ...(AV === 1 ? { range: sizedRange(ADDR, S === 1), leavesOnly: NL === 0 } : {}) } }
}

const firstStage = (words: Words): Names => {
  const { GV, GSCID, PSCV, PSCID } = decode(invalidateFirstStage, words)
  return pages(words, ({ space, domain, pasid }) =>
    (GV === 1 ? space === 'guest' && pasid === GSCID : space === 'first') && (PSCV === 0 || domain === PSCID))
}

const secondStage = (words: Words): Names => {
  const { GV, GSCID } = decode(invalidateSecondStage, words)
  return pages(words, ({ space, domain }) => space === 'second' && (GV === 0 || domain === domainOfGscid(GSCID)))
}

const devices = (words: Words): Names => {
  const { DV, DID } = decode(invalidateDevice, words)
  return { entry: ({ source }) => DV === 0 || source === DID }
}

const process = (words: Words): Names => {
  const { DID, PID } = decode(invalidateProcess, words)
  return { entry: ({ cache, source, pasid }) => cache === 'process' && source === DID && pasid === PID }
}

const device = (words: Words): Names => {
  const { RID, PV, PID, G, S, UADDR } = decode(atsInvalidate, words)
  return { device: { source: RID, pasid: G === 1 ? 'all' : PV === 1 ? PID : 0, range: sizedRange(UADDR, S === 1) } }
}

/** What a command drops, and how adversarial mode calls it. */
interface Dropping {
  readonly kind: string
  readonly names: (words: Words) => Names
}

/** By layout. The others name nothing that is cached here. */
export const drops: ReadonlyMap<Entry, Dropping> = new Map<Entry, Dropping>([
  [invalidateFirstStage, { kind: 'iotinval', names: firstStage }],
  [invalidateSecondStage, { kind: 'iotinval', names: secondStage }],
  [invalidateDevice, { kind: 'iodir', names: devices }],
  [invalidateProcess, { kind: 'iodir', names: process }],
  [atsInvalidate, { kind: 'ats', names: device }],
])

/** A command as adversarial mode knows it. Hardware has reported it by moving its head: a fence has completed by then. */
export const commandOf = ({ words }: CommandEvent): Command | undefined => {
  const layout = commandLayout(words)
  if (layout === undefined) return undefined
  const text = renderLine(describe(layout, words))
  if (layout === fence) return { text, kind: 'fence', completes: true, fences: true }
  const found = drops.get(layout)
  return found === undefined ? undefined : { text, kind: found.kind, drop: dropOf(found.names(words)), completes: false, fences: false }
}
