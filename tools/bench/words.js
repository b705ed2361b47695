// Reading for people: entries decoded, and lines of a kernel's log explained.
import { decode, encode } from '@iommu/bits'
import { pasidEntry } from '@iommu/driver-intel-vtd/tables'
import { decodeEntry, explainLog } from '@iommu/inspect'
import { timed } from './measure.js'

const TIMES = 1000
const LINES = 2000

const log = Array.from({ length: LINES }, (_, at) => [
  'DMAR: DRHD: handling fault status reg 2',
  `DMAR: [DMA Read NO_PASID] Request device [00:${(at % 32).toString(16).padStart(2, '0')}.0] fault addr 0x${(at * 4096).toString(16)} [fault reason 0x06] PTE Read access is not set`,
  'usb 1-1: new high-speed USB device number 2 using xhci_hcd',
][at % 3]).map((line, at) => `[${String(at).padStart(5)}.000000] ${line}\n`).join('')

/** Nanoseconds per line. */
export const explainRun = async () => {
  const from = process.hrtime.bigint()
  await explainLog(log)
  return Number(process.hrtime.bigint() - from) / LINES
}

/** @returns {import('./measure.js').Row[]} */
export const wordRows = () => {
  const words = encode(pasidEntry, { P: 1, AW: 2, PGTT: 2, DID: 7, SSPTPTR: 0x1234000n })
  const each = (run) => () => ({ ns: timed(() => { for (let at = 0; at < TIMES; at++) run() }) / TIMES, checksum: 0 })
  return [
    { subject: 'words', name: 'encode an entry of 512 bits', run: each(() => encode(pasidEntry, { P: 1, AW: 2, PGTT: 2, DID: 7, SSPTPTR: 0x1234000n })) },
    { subject: 'words', name: 'decode an entry of 512 bits', run: each(() => decode(pasidEntry, words)) },
    { subject: 'words', name: 'decode it for people', run: each(() => decodeEntry(pasidEntry, words)), slow: true },
  ]
}
