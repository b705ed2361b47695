// A device's own TLB: what the answers to its translation requests (ATS) leave there, and how it answers itself.
import { frameOf } from './address.js'
import type { Names } from './adversary/names.js'
import { createTranslationCache } from './cache.js'
import type { TranslationCache } from './cache.js'
import { takes } from './dma-sight.js'
import type { DmaSight } from './dma-sight.js'
import type { DmaRequest, Translated } from './dma.js'
import type { Endpoint } from './endpoint.js'
import { frameIn, permissionsOf, translatedTo } from './page.js'
import type { Page } from './page.js'

/** A page as a device keeps it: with the attributes that a translation has which comes from there. */
export interface DevicePage extends Page {
  readonly attributes: Translated['attributes']
}

/** The TLBs of all devices, by requester id. In each, pages are tagged by PASID (0: none). */
export type DeviceTlbs = Map<number, TranslationCache<DevicePage>>

/** A device with ATS enabled keeps what a translation request brought it, with the attributes of an answer from there. */
export const keepInDevice = (
  tlbs: DeviceTlbs, endpoint: (source: number) => Endpoint, { source, pasid, address }: DmaRequest, outcome: Translated,
  attributes: Translated['attributes'],
): void => {
  if (!endpoint(source).config.enabled.ats) return
  let tlb = tlbs.get(source)
  if (tlb === undefined) tlbs.set(source, (tlb = createTranslationCache()))
  const pageShift = outcome.pageSize.toString(2).length - 1
  const frame = frameOf(outcome.address & ~(outcome.pageSize - 1n))
  tlb.keep(pasid ?? 0, frameOf(address), pageShift, { frame, pageShift, ...outcome.permissions, attributes })
}

/** Drops what an invalidation names in a device's own TLB. */
export const forgetInDevice = (tlbs: DeviceTlbs, { source, pasid, range }: NonNullable<Names['device']>): void =>
  void tlbs.get(source)?.dropRange((tag) => pasid === 'all' || tag === pasid, ...range)

/** What a device's own TLB says to a translation request, where it has kept something. */
export const deviceAnswer = (tlbs: DeviceTlbs, request: DmaRequest, sight: DmaSight): Translated | undefined =>
  (request.kind === 'translate' && sight.cached ? keptAnswer(tlbs, request, sight) : undefined)

const keptAnswer = (tlbs: DeviceTlbs, { source, pasid, address }: DmaRequest, sight: DmaSight): Translated | undefined => {
  const frame = frameOf(address)
  const kept = tlbs.get(source)?.lookup(pasid ?? 0, frame)
  if (kept === undefined || !takes(sight)) return undefined
  const { pageShift, read, write, attributes } = kept
  return translatedTo(frameIn(kept.frame, kept.pageShift, frame), pageShift, address, permissionsOf(read, write), 'device TLB', attributes)
}
