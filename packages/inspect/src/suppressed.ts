// What a kernel left out of its log, as its limit of messages says it: "dmar_fault: 893 callbacks suppressed".
import type { Explained } from './explained.js'

/** The item of such a line. The numbers of one vendor's lines are added up. */
export const suppressedItem = (vendor: string, input: string, reports: number): Explained => ({
  kind: 'suppressed', input, count: 1, vendor, suppressed: reports,
  meaning: 'left out by the kernel to spare the log; of which devices it does not say, so counts are lower than the truth',
})
