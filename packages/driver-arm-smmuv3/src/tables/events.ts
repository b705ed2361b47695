// Event records, one layout per event, and what each event means.
import { address, bit, entry, field } from '@iommu/bits'
import type { Entry, Fields, Run } from '@iommu/bits'

const linux = { confirmedBy: ['linux'] } as const

const head = {
  ID: field(7, 0, 'Event', undefined, { alias: ['Event', 'Type'] }),
  SSV: bit(11, 'SubstreamID valid'),
  SSID: field(31, 12, 'SubstreamID', undefined, { alias: ['SubstreamID'] }),
  SID: field(63, 32, 'StreamID', undefined, { alias: ['StreamID'] }),
}
const access = { PnU: bit(97, 'Privileged'), InD: bit(98, 'Instruction'), RnW: bit(99, 'Read') }
const InputAddr = address(191, 128, 'Input address', { alias: ['Address'] })
const FetchAddr = address(247, 195, 'Address of the fetch', { alias: ['FetchAddress'] })
/** Of events that say more of their cause than their name does; of a fetch with its address. */
const Reason = field(79, 64, 'Cause, implementation defined', undefined, { confirmedBy: ['spec'] })
const fetched = { Reason, GPCF: bit(80, 'Granule protection check fault', { confirmedBy: ['spec'] }), FetchAddr }
const stall = { STAG: field(79, 64, 'Stall tag'), Stall: bit(95, 'Stalled') }
const where = {
  S2: bit(103, 'Stage 2'),
  CLASS: field(105, 104, 'What was being translated', { 0: 'CD fetch', 1: 'table walk', 2: 'input address' }),
}

const HEAD: Run = [10, 8]

const event = /* @__NO_SIDE_EFFECTS__ */ <const F extends Fields>(
  name: string, title: string, section: string, reserved: readonly Run[], fields: F,
): Entry<typeof head & F> =>
  entry(`smmuv3.event.${name}`, { title, bits: 256, section, confirmedBy: ['linux', 'qemu'], reserved: [HEAD, ...reserved] }, { ...head, ...fields })

/** Events that name a stream and nothing more. */
const stream = /* @__NO_SIDE_EFFECTS__ */ (name: string, title: string, section: string): Entry<typeof head> =>
  event(name, title, section, [[255, 64]], {})
/** Events with the address of a structure that could not be read. */
const fetch = /* @__NO_SIDE_EFFECTS__ */ (name: string, title: string, section: string): Entry<typeof head & typeof fetched> =>
  event(name, title, section, [[194, 81], [255, 248]], fetched)
/** Faults of a translation. */
const translation = /* @__NO_SIDE_EFFECTS__ */ (name: string, title: string, section: string) =>
  event(name, title, section, [[94, 80], [96, 96], [102, 101], [107, 106], [127, 109], [203, 192], [255, 248]], {
    ...stall, ...access, NSIPA: bit(100, 'IPA is non-secure', { confirmedBy: ['spec'] }), ...where,
    TTRnW: bit(108, 'The walk was reading', linux), InputAddr, IPA: address(247, 204, 'Intermediate address'),
  })

export const uutEvent = event('f-uut', 'F_UUT', 'smmu:7.3.2', [[96, 80], [127, 100], [255, 192]], { Reason, ...access, InputAddr })
export const badStreamEvent = stream('c-bad-streamid', 'C_BAD_STREAMID', 'smmu:7.3.3')
export const streamFetchEvent = fetch('f-ste-fetch', 'F_STE_FETCH', 'smmu:7.3.4')
export const badStreamEntryEvent = stream('c-bad-ste', 'C_BAD_STE', 'smmu:7.3.5')
export const streamDisabledEvent = stream('f-stream-disabled', 'F_STREAM_DISABLED', 'smmu:7.3.7')
export const translationForbiddenEvent = event('f-transl-forbidden', 'F_TRANSL_FORBIDDEN', 'smmu:7.3.8',
  [[98, 64], [127, 100], [255, 192]], { RnW: access.RnW, InputAddr })
export const badSubstreamEvent = stream('c-bad-substreamid', 'C_BAD_SUBSTREAMID', 'smmu:7.3.9')
export const contextFetchEvent = fetch('f-cd-fetch', 'F_CD_FETCH', 'smmu:7.3.10')
export const badContextEvent = stream('c-bad-cd', 'C_BAD_CD', 'smmu:7.3.11')
export const walkAbortEvent = event('f-walk-eabt', 'F_WALK_EABT', 'smmu:7.3.12',
  // A stall's fields are QEMU's. The text of 7.3.12 has a Reason and no stall; its figure, which has their places, is in no copy at hand.
  [[94, 80], [96, 96], [102, 100], [127, 106], [194, 192], [255, 248]], {
    STAG: field(79, 64, 'Stall tag', undefined, { confirmedBy: ['qemu'] }), Stall: bit(95, 'Stalled', { confirmedBy: ['qemu'] }),
    ...access, ...where, InputAddr, FetchAddr,
  })
export const translationEvent = translation('f-translation', 'F_TRANSLATION', 'smmu:7.3.13')
export const addressSizeEvent = translation('f-addr-size', 'F_ADDR_SIZE', 'smmu:7.3.14')
export const accessEvent = translation('f-access', 'F_ACCESS', 'smmu:7.3.15')
export const permissionEvent = translation('f-permission', 'F_PERMISSION', 'smmu:7.3.16')
export const configurationConflictEvent = stream('f-cfg-conflict', 'F_CFG_CONFLICT', 'smmu:7.3.18')
export const machineFetchEvent = fetch('f-vms-fetch', 'F_VMS_FETCH', 'smmu:7.3.20')

/** Of an event without a layout of its own: its head, which all events share. */
export const anyEvent = entry('smmuv3.event', {
  title: 'Event record', bits: 256, section: 'smmu:7.3', confirmedBy: ['linux', 'qemu'], reserved: [HEAD], ignored: [[255, 64]],
}, head)

/** Codes of the ID field. */
export const EVENTS = {
  F_UUT: 0x01, C_BAD_STREAMID: 0x02, F_STE_FETCH: 0x03, C_BAD_STE: 0x04, F_BAD_ATS_TREQ: 0x05, F_STREAM_DISABLED: 0x06,
  F_TRANSL_FORBIDDEN: 0x07, C_BAD_SUBSTREAMID: 0x08, F_CD_FETCH: 0x09, C_BAD_CD: 0x0a, F_WALK_EABT: 0x0b,
  F_TRANSLATION: 0x10, F_ADDR_SIZE: 0x11, F_ACCESS: 0x12, F_PERMISSION: 0x13, F_TLB_CONFLICT: 0x20, F_CFG_CONFLICT: 0x21,
  E_PAGE_REQUEST: 0x24, F_VMS_FETCH: 0x25,
} as const

export type EventName = keyof typeof EVENTS

/** The layout of each event's record. */
export const EVENT_LAYOUTS = {
  F_UUT: uutEvent,
  C_BAD_STREAMID: badStreamEvent,
  F_STE_FETCH: streamFetchEvent,
  C_BAD_STE: badStreamEntryEvent,
  F_BAD_ATS_TREQ: anyEvent,
  F_STREAM_DISABLED: streamDisabledEvent,
  F_TRANSL_FORBIDDEN: translationForbiddenEvent,
  C_BAD_SUBSTREAMID: badSubstreamEvent,
  F_CD_FETCH: contextFetchEvent,
  C_BAD_CD: badContextEvent,
  F_WALK_EABT: walkAbortEvent,
  F_TRANSLATION: translationEvent,
  F_ADDR_SIZE: addressSizeEvent,
  F_ACCESS: accessEvent,
  F_PERMISSION: permissionEvent,
  F_TLB_CONFLICT: anyEvent,
  F_CFG_CONFLICT: configurationConflictEvent,
  E_PAGE_REQUEST: anyEvent,
  F_VMS_FETCH: machineFetchEvent,
} as const satisfies Readonly<Record<EventName, Entry>>

/** Who says that a code means what it says here. */
export type Confirmation = 'linux' | 'qemu' | 'capture'

export interface EventKind {
  readonly code: number
  readonly name: EventName
  /** In our words, short. */
  readonly meaning: string
  readonly layout: Entry
  /** Empty: nothing outside of this project confirms it. */
  readonly confirmedBy: readonly Confirmation[]
}

const kind = (name: EventName, meaning: string, confirmedBy: readonly Confirmation[]): EventKind =>
  ({ code: EVENTS[name], name, meaning, layout: EVENT_LAYOUTS[name], confirmedBy })
const BOTH: readonly Confirmation[] = ['linux', 'qemu']
const SEEN: readonly Confirmation[] = ['linux', 'qemu', 'capture']

const list = (): readonly EventKind[] => [
  kind('F_UUT', 'the transaction is of a kind that the SMMU does not support', ['qemu']),
  kind('C_BAD_STREAMID', 'the StreamID lies beyond the stream table', BOTH),
  kind('F_STE_FETCH', 'the stream table entry cannot be read', BOTH),
  kind('C_BAD_STE', 'the stream table entry is invalid or illegal', BOTH),
  kind('F_BAD_ATS_TREQ', 'an ATS request, and the stream table entry does not allow ATS', ['qemu']),
  kind('F_STREAM_DISABLED', 'a request without SSID, or with SSID 0, and the stream table entry allows none', BOTH),
  kind('F_TRANSL_FORBIDDEN', 'a translated request, and the stream table entry does not allow ATS', ['qemu']),
  kind('C_BAD_SUBSTREAMID', 'the SSID lies beyond the CD table, or the stream has no SSIDs', BOTH),
  kind('F_CD_FETCH', 'the context descriptor cannot be read', BOTH),
  kind('C_BAD_CD', 'the context descriptor is invalid or illegal', BOTH),
  kind('F_WALK_EABT', 'a translation table cannot be read', ['qemu']),
  kind('F_TRANSLATION', 'nothing is mapped', SEEN),
  kind('F_ADDR_SIZE', 'an address is wider than its output size', BOTH),
  kind('F_ACCESS', 'the access flag of the page is 0', BOTH),
  kind('F_PERMISSION', 'the page does not permit it', SEEN),
  kind('F_TLB_CONFLICT', 'the TLB holds conflicting translations', ['qemu']),
  kind('F_CFG_CONFLICT', 'the configuration caches hold conflicting entries', ['qemu']),
  kind('E_PAGE_REQUEST', 'a hint that a page will be wanted', ['qemu']),
  kind('F_VMS_FETCH', 'the virtual machine structure cannot be read', ['linux']),
]

/** By code. Pure, so that whoever needs no meanings does not carry them. */
const byCode = /* @__NO_SIDE_EFFECTS__ */ (all: () => readonly EventKind[]): ReadonlyMap<number, EventKind> =>
  new Map(all().map((each) => [each.code, each]))

/** Every event that this project knows, by code. A code that is not here is unknown, not guessed. */
export const events = byCode(list)
