// The verbs: how each is loaded, so that only the one asked for costs time, and what the list says of it.
import type { Verb } from '../io.js'

type Load = () => Promise<{ readonly verb: Verb }>

export const verbs = {
  conform: () => import('./conform.js'),
  decode: () => import('./decode.js'),
  encode: () => import('./encode.js'),
  inspect: () => import('./inspect.js'),
  walk: () => import('./walk.js'),
  reproduce: () => import('./reproduce.js'),
  explain: () => import('./explain.js'),
  drivers: () => import('./drivers.js'),
} as const satisfies Readonly<Record<string, Load>>

export type VerbName = keyof typeof verbs

/** Held equal to the verbs' own summaries by a test; kept here so that the list loads nothing. */
export const summaries: Readonly<Record<VerbName, string>> = {
  conform: 'run the conformance suite on drivers',
  decode: 'an entry\'s words as fields: iommu decode vtd.pasid 0x89 0x5',
  encode: 'fields as an entry\'s words: iommu encode vtd.pasid P=1 PGTT=2',
  inspect: 'what recorded tables make of every device',
  walk: 'one DMA through recorded tables, step by step',
  reproduce: 'recorded entries, written again by the driver and compared',
  explain: 'a fault line, a whole dmesg (-), a field or a fault code',
  drivers: 'the drivers that are here, and what they declare',
}
