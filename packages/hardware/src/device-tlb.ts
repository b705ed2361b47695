// A device's own TLB: what the answers to its translation requests (ATS) leave there.
import { frameOf } from './address.js'
import { createTranslationCache } from './cache.js'
import type { TranslationCache } from './cache.js'
import type { DmaRequest, Outcome, Translated } from './dma.js'
import type { Endpoint } from './endpoint.js'

/** What every vendor's leaf says of a page that a device has translated; `frame` is the page's first. */
export interface TranslatedPage {
  readonly frame: number
  readonly pageShift: number
  readonly read: boolean
  readonly write: boolean
}

/** The TLBs of all devices, by requester id, and the devices. */
export interface DeviceTlbs<T> {
  readonly held: Map<number, TranslationCache<T>>
  endpoint(source: number): Endpoint
}

/** A device with ATS enabled keeps what a translation request brought it; `leafOf` adds what the vendor's leaf has besides. */
export const keepInDevice = <T>(
  { held, endpoint }: DeviceTlbs<T>, { kind, source, pasid, address }: DmaRequest, outcome: Outcome,
  leafOf: (page: TranslatedPage, outcome: Translated) => T,
): void => {
  if (kind !== 'translate' || outcome.result !== 'translated' || !endpoint(source).config.enabled.ats) return
  let tlb = held.get(source)
  if (tlb === undefined) held.set(source, (tlb = createTranslationCache()))
  const pageShift = outcome.pageSize.toString(2).length - 1
  const frame = frameOf(outcome.address & ~(outcome.pageSize - 1n))
  tlb.keep(pasid ?? 0, frameOf(address), pageShift, leafOf({ frame, pageShift, ...outcome.permissions }, outcome))
}
