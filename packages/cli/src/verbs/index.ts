// The verbs: how each is loaded, so that only the one asked for costs time, and what the list says of it.
import type { Verb } from '../io.js'

type Load = () => Promise<{ readonly verb: Verb }>

export const verbs = {
  conform: () => import('./conform.js'),
  decode: () => import('./decode.js'),
  encode: () => import('./encode.js'),
  diff: () => import('./diff.js'),
  play: () => import('./play.js'),
  inspect: () => import('./inspect.js'),
  walk: () => import('./walk.js'),
  reproduce: () => import('./reproduce.js'),
  classify: () => import('./classify.js'),
  agree: () => import('./agree.js'),
  findings: () => import('./findings.js'),
  explain: () => import('./explain.js'),
  drivers: () => import('./drivers.js'),
  new: () => import('./new.js'),
  explore: () => import('./explore.js'),
  vectors: () => import('./vectors.js'),
} as const satisfies Readonly<Record<string, Load>>

export type VerbName = keyof typeof verbs

/** Held equal to the verbs' own summaries by a test; kept here so that the list loads nothing. */
export const summaries: Readonly<Record<VerbName, string>> = {
  conform: 'run the conformance suite on drivers',
  decode: 'an entry\'s words as fields: iommu decode vtd.pasid 0x89 0x5',
  encode: 'fields as an entry\'s words: iommu encode vtd.pasid P=1 PGTT=2',
  diff: 'two versions of an entry, and the stores between them',
  play: 'a domain change as a film: stores, commands, what DMA meets',
  inspect: 'what recorded tables make of every device',
  walk: 'one DMA through recorded tables, step by step',
  reproduce: 'recorded entries, written again by the driver and compared',
  classify: 'what detach_dev of 2022 really did, and what a block saves',
  agree: 'the models beside QEMU, on random states and random DMA',
  findings: 'what was found in other drivers and in QEMU, run again',
  explain: 'a fault line, a whole dmesg (-), a field, a code, C-PASID-03',
  drivers: 'the drivers that are here, and what they declare',
  new: 'a driver of your own, scaffolded: iommu new driver acme',
  explore: 'the explorer, a page for your browser, served locally',
  vectors: 'golden vectors for any language; --check asks a program',
}
