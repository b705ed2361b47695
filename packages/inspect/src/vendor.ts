// What a vendor's folder must give, so that everything else in this package can serve it.
import type { Entry } from '@iommu/bits'
import type { Outcome, Step } from '@iommu/hardware'
import type { Capture } from './capture.js'
import type { Explained } from './explained.js'
import type { Verdict } from './verdict.js'
import type { VendorId } from './vendors.js'

/** One DMA that is asked about. */
export interface WalkQuestion {
  /** The 16-bit requester id. */
  readonly source: number
  readonly pasid?: number
  readonly iova: bigint
  readonly access: 'read' | 'write'
}

/** How far a walk has come: what stays of it where it cannot go on. */
export interface Way {
  readonly steps: Step[]
  /** What the answer rests on, where that is not the tables alone. */
  caution?: string
}

/** What the vendor's model makes of it. */
export interface Walked {
  readonly outcome: Outcome
  /** What people see in their logs in place of the fault's code. */
  readonly seenAs?: string
}

/** A fault that was still waiting for software when a capture was taken. */
export interface PendingFault {
  readonly device: string
  readonly pasid?: number
  readonly access: 'read' | 'write'
  readonly address: string
  readonly code: number
  /** The meaning; "unknown" for a code that is not known. */
  readonly name: string
}

/** Verdicts on one requester. */
export interface RequesterVerdict {
  /** On requests without PASID. */
  readonly verdict: Verdict
  /** PASIDs that have an entry, without that of requests without PASID. */
  readonly pasids: readonly number[]
  judgePasid(pasid: number): Verdict
  /** What keeps PASID entries from being used, where something does. */
  readonly caution?: string
}

/** An entry as recorded, and the driver's own words for it. */
export interface Compared {
  readonly bdf: string
  /** Of a directory entry: the first PASID below it. */
  readonly pasid?: number
  /** "vtd.context" */
  readonly entry: string
  readonly address: bigint
  /** Of page-table entries: the first address that they translate, and their level. */
  readonly iova?: bigint
  readonly level?: number
  readonly recorded: readonly bigint[]
  /** Undefined: the driver writes no such entry, and `note` says why. */
  readonly words: readonly bigint[] | undefined
  readonly note?: string
}

/** One field that differs. */
export interface Difference {
  /** Name of the entry's layout, "vtd.pasid". */
  readonly entry: string
  /** Name of the field, or "ignored 10:10" for bits that hardware does not read. */
  readonly field: string
  readonly recorded: bigint
  readonly ours: bigint
  /** The recorded entry, whole. */
  readonly words: readonly bigint[]
}

/** A difference in one field that is understood, and does not matter. */
export interface ReproduceRule<Facts> {
  readonly id: string
  readonly entry: string
  readonly field: string
  /** `facts`: what of the whole capture decides whether the rule holds. */
  condition(facts: Facts, difference: Difference): boolean
  /** Why they differ, and why that is right. */
  readonly says: string
  readonly source: string
}

/** What is told of a rule. */
export type RuleText = Pick<ReproduceRule<never>, 'id' | 'says' | 'source'>

/** Every entry of a capture's devices beside the driver's own. */
export interface Gathered {
  readonly compared: readonly Compared[]
  /** The rule that explains a difference. */
  ruleFor(difference: Difference): RuleText | undefined
}

/** The IOMMU behind a capture, as its registers describe it. */
export interface Unit {
  /** What the registers make of DMA; "off": nothing is translated. */
  readonly mode: string
  /** Where the first table lies, and what it is called. */
  readonly rootTable: bigint
  readonly rootTitle: 'root table' | 'device table' | 'stream table' | 'device directory'
  judge(requesterId: number): RequesterVerdict
  /**
   * Adds to `way` what it reads. Throws MissingMemoryError where memory is needed that the source lacks, and InputError for what
   * this version does not walk.
   */
  walk(question: WalkQuestion, way: Way): Walked
  pendingFaults(): PendingFault[]
  /**
   * Throws InputError where the tables that every walk begins with were not recorded. Absent: this vendor's recorded
   * entries are not compared with the driver's.
   */
  gather?(): Gathered
}

/** What is known of a fault code. */
export type CodeMembers = Pick<
  Explained, 'vendor' | 'code' | 'name' | 'meaning' | 'section' | 'confirmedBy' | 'so' | 'usual' | 'next'
>

/** Where in a log a line stands. */
export interface LogPlace {
  /** Greater for later lines. */
  readonly order: number
  /** As the log spells it; undefined where the line has none. */
  readonly time: string | undefined
  /** How often the line was logged: a log daemon may write equal lines once, and say how often. */
  readonly times: number
}

/** Takes a report, and where it began. */
export type Report = (item: Explained, at: LogPlace) => void

/**
 * Reads the lines of one log in turn. A report may take several lines, and lines of others may stand between them.
 */
export interface LogReader {
  /** Whether the line is about this vendor's IOMMU. What it reports is handed over once the report is whole. */
  take(line: string, at: LogPlace): boolean
  /** The log ends: what is still waiting is handed over. */
  end(): void
}

/** One step of a change of an entry, as the driver makes it. `words`: one, or two in one indivisible store. */
export type ChangeStep =
  | { readonly do: 'store'; readonly index: number; readonly words: readonly bigint[] }
  | { readonly do: 'invalidate'; readonly commands: readonly (readonly bigint[])[] }
  | { readonly do: 'order' | 'write-back' | 'flush-write-buffer' }

/** Whose entry it is. */
export interface ChangeAbout {
  readonly source: number
  readonly pasid: number
}

/** How the driver changes one kind of entry. */
export interface ChangePlan {
  plan(from: readonly bigint[], to: readonly bigint[], about: ChangeAbout): readonly ChangeStep[]
  /** Whether an entry lets DMA be answered by what it says: P, V, or V and TV. */
  isLive(words: readonly bigint[]): boolean
  /** Of words that are not live: whether DMA passes untranslated, and is not refused. Absent: it is refused. */
  passes?(words: readonly bigint[]): boolean
}

/** One vendor. */
export interface Vendor {
  readonly id: VendorId
  /** In the order in which a DMA meets them, then queue entries, then registers. */
  readonly entries: readonly Entry[]
  /** Other names in use: "vtd.context-entry" for "vtd.context". */
  readonly aliases: Readonly<Record<string, string>>
  /** What the manual calls the words of an entry, by the entry's name: "tc" is word 0 of "riscv.dc". Absent: none has one. */
  readonly wordNames?: Readonly<Record<string, readonly string[]>>
  /** Layouts whose entries lead to page tables or are entries of them; others have no page size. */
  readonly pageEntries: readonly string[]
  /** Why recorded entries may differ from the driver's; none where they are not compared. */
  readonly rules: readonly ReproduceRule<never>[]
  /** Of the entries whose changes the driver plans, by name. */
  readonly changes: Readonly<Record<string, ChangePlan>>
  /** The layout of a command or descriptor; undefined for an opcode that is not known. */
  commandLayout(words: readonly bigint[]): Entry | undefined
  /** Throws InputError where a register is missing. */
  createUnit(capture: Capture): Unit
  /** What is known of a fault code; `meaning` is absent for one that is not known. */
  explainCode(code: number): CodeMembers
  /** The code of a fault that has a name: F_TRANSLATION, IO_PAGE_FAULT. */
  codeNamed(name: string): number | undefined
  /** `report` is called for every report of the log, `other` for lines that are no faults: start-up messages and the like. */
  createLogReader(report: Report, other: () => void): LogReader
}
