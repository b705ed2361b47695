// A subject of comparison: one kind of IOMMU that a model and QEMU both are, with states to put both in.
import type { Adversary, DmaRequest, Machine, Memory, PhysicalMemory, Step, TestMachine } from '@iommu/hardware'
import type { Board, QemuMachine, RecordedFault } from '@iommu/machine-qemu'
import type { DriverSubject } from './driven.js'
import type { Random } from './random.js'

/** One DMA. */
export interface Probe {
  readonly source: number
  readonly pasid?: number
  readonly address: bigint
  readonly access: 'read' | 'write'
}

/** What became of it: where it went, and what was recorded. */
export interface Answer {
  readonly where: bigint | 'blocked'
  readonly records: readonly Pick<RecordedFault, 'code' | 'source' | 'address' | 'access' | 'fields'>[]
}

/** Memory that whole frames can be put into before the story begins. */
export interface Loadable extends Memory {
  load(address: bigint, bytes: Uint8Array): void
}

/** What a state is installed on: a model, or QEMU. */
export type Target = Machine & { readonly memory: Loadable }

export interface Model extends TestMachine {
  readonly memory: PhysicalMemory
}

/** What a model makes of a probe, and how. */
export interface Seen<Plan> {
  /** The state as it is taken by now: a deviation before may have put another in its place. */
  readonly plan: Plan
  readonly original: Plan
  readonly probe: Probe
  readonly answer: Answer
  /** The entries that it read. */
  readonly steps: readonly Step[]
  /** Probes of this state that went through before: what caches may hold. */
  readonly before: readonly Probe[]
  /** What the model answers in another state, or to another probe. */
  asIf(plan: Plan, probe?: Probe): Answer
}

/**
 * A place where QEMU does not do what the specification says. Its answer there is known exactly, and asserted; what
 * it answers in `reproduce` is checked in every run, so that a QEMU that was mended is noticed.
 */
export interface Deviation<Plan> {
  readonly id: string
  /** What QEMU does, and what the specification says. */
  readonly says: string
  /** Series that deviate so ("11.1"); all where absent. */
  readonly series?: readonly string[]
  /** QEMU's answer where it deviates in this case, worked out from the specification's; undefined elsewhere. */
  answer?(seen: Seen<Plan>): Answer | undefined
  /** The state as QEMU takes it, where it overlooks something in it; undefined elsewhere. */
  instead?(seen: Seen<Plan>): Plan | undefined
  /** The smallest state in which it shows, and the probes; the last one shows it. */
  readonly reproduce: () => { readonly plan: Plan; readonly probes: readonly Probe[] }
}

/** A change of a state's tables after which an invalidation is missing, or none is. */
export interface StaleCase<Plan> {
  readonly plan: Plan
  /** What was changed, and what was left out. */
  readonly name: string
  /** Warms the caches, and is asked again at the end. */
  readonly probe: Probe
  /** Frames that are not reached before the change. */
  readonly spare: ReadonlyMap<number, BigUint64Array>
  readonly stores: readonly (readonly [address: bigint, word: bigint])[]
  /** Commands for the hardware, as it queues them. */
  readonly commands: readonly (readonly bigint[])[]
}

/** Cases of stale caches in which QEMU gives the old answer, and hardware must not. */
export interface StaleDeviation<Plan> {
  readonly id: string
  readonly says: string
  /** Series that deviate so; all where absent. */
  readonly series?: readonly string[]
  /** Whether cases of this name are such. In all of them QEMU's answer is the old one. */
  readonly cases: (name: string) => boolean
  /** The smallest case in which it shows. */
  readonly reproduce: () => StaleCase<Plan>
}

/** How caches are tried: what QEMU answers must be among what hardware may answer. */
export interface StaleSubject<Plan> {
  generate(random: Random): StaleCase<Plan>
  submit(machine: Target, plan: Plan, commands: readonly (readonly bigint[])[]): void
  createAdversary(model: Model): Adversary
  readonly deviations: readonly StaleDeviation<Plan>[]
}

/** How a QEMU without PASIDs is made to see what requests with PASIDs would meet. */
export interface Lens {
  /** What QEMU answers a probe whose PASID it is shown. */
  ask(machine: QemuMachine, board: Board, probe: Probe): Answer
  /** An answer as it shows there. */
  shows(answer: Answer): Answer
}

/** `Plan` describes a state as data: it can be printed, made smaller, and turned into the words of tables. */
export interface Subject<Plan extends { readonly class: string }> {
  /** "vtd-legacy" */
  readonly target: string
  readonly board: Board
  /** Requester ids of the devices that do the DMA. */
  readonly sources: readonly number[]
  /** A model of what this QEMU's registers say that it is, with its memory laid out as QEMU's is. */
  createModel(qemu: QemuMachine): Model
  /** The state of a turn; turns run from 0, and classes take theirs in proportion. */
  generate(random: Random, turn: number): Plan
  /** Probes that make sense in a state. */
  probes(random: Random, plan: Plan): readonly Probe[]
  /** Brings a machine into a state, whatever it was in; nothing is left in its caches. The same calls on both. */
  install(machine: Target, plan: Plan): void
  /** Smaller plans that may show the same, the most promising first. */
  smaller(plan: Plan): Iterable<Plan>
  /** One line per thing that a plan says. */
  describe(plan: Plan): readonly string[]
  readonly deviations: readonly Deviation<Plan>[]
  /** Where probes have PASIDs. */
  readonly lens?: Lens
  /** Absent where caches are tried by another subject of the same IOMMU. */
  readonly stale?: StaleSubject<Plan>
  readonly driven: DriverSubject
  /** Fault codes that this kind can reach, with what they mean. */
  readonly codes: ReadonlyMap<number, string>
}

/** Asks a machine: model and QEMU are asked in the same way, and their logs read by the same reader. */
export const ask = (machine: TestMachine, board: Board, probe: Probe): Answer => {
  const request: DmaRequest = { ...probe, kind: 'untranslated' }
  const outcome = machine.dma(request)
  // QEMU's log is read by its machine, where a DMA was blocked: what was recorded at another time shows up then.
  const pending = 'recorded' in machine ? (machine as QemuMachine).recorded : board.readFaults(machine)
  return {
    where: outcome.result === 'translated' ? outcome.address : 'blocked',
    records: pending.map(({ code, source, address, access, fields }) => ({ code, source, address, access, fields })),
  }
}

const hex = (value: number | bigint): string => `0x${value.toString(16)}`

/** Asks QEMU, through a lens where there is one. */
export const askQemu = (machine: QemuMachine, { board, lens }: Pick<Subject<never>, 'board' | 'lens'>, probe: Probe): Answer =>
  (lens === undefined ? ask(machine, board, probe) : lens.ask(machine, board, probe))

export const probeLine = ({ source, pasid, address, access }: Probe): string =>
  `${access} of ${hex(address)} by ${hex(source)}${pasid === undefined ? '' : ` with PASID ${hex(pasid)}`}`

export const whereText = (where: Answer['where']): string => (where === 'blocked' ? 'blocked' : `translated to ${hex(where)}`)

/** One line that is equal for equal answers. */
export const answerLine = ({ where, records }: Answer): string => [
  whereText(where),
  ...records.map(({ code, source, address, access, fields }) =>
    `fault ${hex(code)} of a ${access} of ${hex(address)} by ${hex(source)}${Object.entries(fields).map(([name, value]) => ` ${name}=${hex(value)}`).join('')}`),
  ...(where === 'blocked' && records.length === 0 ? ['nothing recorded'] : []),
].join(', ')
