// From a recorded entry to what it stands for, and from that alone to the driver's own words for it.
import { decode } from '@iommu/bits'
import { entryWords, gcr3Words } from '@iommu/driver-amd-vi/reproduce'
import type { Gcr3Facts, PointState } from '@iommu/driver-amd-vi/reproduce'
import { deviceTableEntry, gcr3Entry } from '@iommu/driver-amd-vi/tables'
import type { Capabilities, GuestLevels, HostLevels } from '@iommu/driver-amd-vi/registers'
import { refused } from '../gathering.js'
import type { Rewritten } from '../gathering.js'

/** The driver's words for a device table entry, and what is behind it. */
export interface RewrittenDevice extends Rewritten {
  readonly host?: { readonly levels: HostLevels; readonly root: bigint }
  readonly gcr3?: Gcr3Facts
}

/** Domain id 0 is never given out. */
const NO_DOMAIN = 0

type Fields = ReturnType<typeof decode<typeof deviceTableEntry['fields']>>

const gcr3Of = (e: Fields, { guestIo }: Capabilities): Gcr3Facts | undefined => (e.GV === 0 ? undefined : {
  root: e.GCR3TRP, levels: (e.GLX + 1) as 1 | 2 | 3, domainId: e.DomainID,
  // A table whose entry 0 alone is used says so by GIoV, and PASIDs cannot be told from it: they are a fact of the device.
  pasids: e.GIoV === 0, guestIo, pasidLevels: guestLevelsOf(e),
})

const guestLevelsOf = ({ GuestPagingMode }: Fields): GuestLevels => (GuestPagingMode === 1 ? 5 : 4)

/** What requests without PASID were told to meet; a text says why the driver has no such state. */
const stateOf = (e: Fields, capabilities: Capabilities): PointState | string => {
  if (e.V === 0) return 'DMA passes untranslated where V is 0: the driver always sets it'
  if (e.TV === 0) return { kind: 'blocked' }
  if (e.Mode > 0 && e.GV === 1) return 'the driver has no nested translation'
  if (e.Mode > capabilities.hostLevels) return `the unit has no host tables of ${e.Mode} levels`
  if (e.Mode > 0) {
    return e.DomainID === NO_DOMAIN ? 'domain id 0 is never given out here'
      : { kind: 'host', levels: e.Mode as HostLevels, root: e.HostPTRoot, domainId: e.DomainID }
  }
  if (e.GV === 1 && !capabilities.guest) return 'the unit has no guest tables'
  // Which tables they are is in GCR3[0]; the entry itself says only how deep.
  if (e.GIoV === 1) return { kind: 'guest', levels: guestLevelsOf(e), root: 0n }
  return e.IR === 0 && e.IW === 0 ? { kind: 'blocked' } : { kind: 'identity' }
}

/** A device table entry: its mode says the kind, its pointers and domain id which tables. */
export const rewriteDevice = (capabilities: Capabilities, words: readonly bigint[]): RewrittenDevice => {
  const e = decode(deviceTableEntry, words)
  const state = stateOf(e, capabilities)
  if (typeof state === 'string') return refused(state)
  const gcr3 = gcr3Of(e, capabilities)
  if (state.kind === 'guest' && !capabilities.guestIo) return refused('the unit cannot give requests without PASID to GCR3[0]')
  return {
    words: entryWords(state, { ats: e.I === 1, gcr3 }, words),
    ...(state.kind === 'host' ? { host: state } : {}),
    ...(gcr3 === undefined ? {} : { gcr3 }),
  }
}

/** An entry of a GCR3 table, of any level. */
export const rewriteGcr3 = (words: readonly bigint[]): Rewritten => {
  const { V, ADDR } = decode(gcr3Entry, words)
  return { words: gcr3Words(V === 0 ? undefined : ADDR) }
}
