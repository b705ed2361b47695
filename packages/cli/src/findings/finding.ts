// A finding: what another driver or emulator does otherwise than the contract or the specification says, and how that is known.

/** A change that is filmed. */
export interface Shot {
  readonly from: string
  readonly to: string
  /** On this PASID; on the requester id where absent. */
  readonly pasid?: number
  /** A PASID that is alive meanwhile, on tables of its own. */
  readonly alive?: number
}

/** How it is reproduced. */
export type Proof =
  /** A variant of a driver here, held by the order of stores that the source says, fails the statement; the driver itself does not. */
  | { readonly by: 'variant'; readonly driver: string; readonly variant: string; readonly film: Shot | 'scene' }
  /** The writes of a function of Linux, as data, run on a model of the hardware; `hazard`: part of its title. */
  | { readonly by: 'body'; readonly driver: string; readonly hazard: string }
  /** Deviations that `iommu agree` lists: model and QEMU in the same state, asked the same. `series`: where the newest has them no more. */
  | { readonly by: 'agreement'; readonly targets: readonly string[]; readonly deviations: readonly string[]; readonly series?: string }
  /** A statement that a right driver fails on the emulator, as the list of exceptions says. */
  | { readonly by: 'suite'; readonly driver: string; readonly board: string; readonly deviation: string; readonly statement: string }
  /** Read, and not reproduced. */
  | { readonly by: 'reading' }

export interface Finding {
  readonly id: string
  readonly title: string
  /** Whose it is: "Linux 7.3.4, VT-d". */
  readonly subject: string
  /** An id of the suite, or what the specification says. */
  readonly statement: string
  /** File, function, versions. */
  readonly source: string
  /** Paragraphs. */
  readonly happens: readonly string[]
  readonly matters: string
  readonly fix: string
  readonly proof: Proof
  /** What to look at in the film, where it does not say so itself. */
  readonly look?: string
}

/** `run`: seen on the real thing; `model`: by a variant or a body on a model; `reading`: the source says so. */
export type Evidence = 'run' | 'model' | 'reading'

export const evidenceOf = ({ proof: { by } }: Finding): Evidence =>
  (by === 'reading' ? 'reading' : by === 'agreement' || by === 'suite' ? 'run' : 'model')

/** What came of running it again. */
export interface Rerun {
  /** null: it was not run, and `why` says so. */
  readonly reproduced: boolean | null
  readonly why?: string
  /** What was seen, one sentence each. */
  readonly observed: readonly string[]
  /** The film, line by line; absent where nothing was filmed. */
  readonly film?: readonly string[]
}
