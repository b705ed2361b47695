// The backends on which the suite checks the drivers: seven kinds of hardware, s390's twice, each as a model.
import type { IommuOps } from '@iommu/core'
import type { EndpointCapabilities, HardwareEvent, TestMachine } from '@iommu/hardware'
import type { LegacyDriver } from './driver.js'
import { createDriver } from './kinds.js'
import type { KindName } from './kinds.js'
import { createFslPamuMachine } from './model/fsl-pamu.js'
import type { LegacyMachine, ModelOptions } from './model/machine.js'
import { createMsmMachine } from './model/msm.js'
import { createMtkV1Machine } from './model/mtk-v1.js'
import { createOmapMachine } from './model/omap.js'
import { createS390Machine } from './model/s390.js'
import { createTegraGartMachine } from './model/tegra-gart.js'
import { createTegraSmmuMachine } from './model/tegra-smmu.js'
import { CONTEXT, contextOf } from './tables/msm.js'
import { OFFSETS as MTK } from './tables/mtk-v1.js'
import { INSTANCE_BYTES, OFFSETS as OMAP } from './tables/omap.js'
import { INSTRUCTIONS } from './tables/s390.js'
import { APERTURE } from './tables/tegra-gart.js'
import { REGISTERS } from './tables/tegra-smmu.js'

/** What a backend is made of; the shape that @iommu/conformance takes. */
export interface LegacyBackend {
  readonly name: string
  readonly backend: string
  readonly physicalBits: number
  readonly deviceBits: number
  readonly mapped?: readonly [bigint, bigint]
  readonly unmapped?: bigint
  readonly base?: bigint
  readonly untranslated?: (address: bigint) => boolean
  readonly oneTranslation?: true
  readonly attachCannotFail?: string
  readonly mapCannotFail?: string
  readonly harmless: Readonly<Record<string, string>>
  /** Whether a register write or an instruction is a flush. */
  readonly isFlush: (event: HardwareEvent) => boolean
  createMachine(setup: {
    readonly endpoints: ReadonlyMap<number, EndpointCapabilities>; readonly unit: number; readonly first?: TestMachine
  }): TestMachine
  createDriver(machines: readonly TestMachine[], setup: { readonly warn: (sentence: string) => void }): IommuOps
  idsInUse(ops: IommuOps): number
}

/** The hardware of a kind, as a model, and what the suite must know of it. */
export type Kind = Omit<LegacyBackend, 'name' | 'backend' | 'harmless' | 'createMachine' | 'createDriver' | 'idsInUse'> & {
  readonly createMachine: (options: ModelOptions) => LegacyMachine
}

const ONLY_REGISTERS = { attachCannotFail: 'an attach takes no memory and waits for nothing: it only writes registers' } as const
/** Writes of these registers are flushes; `apart`: bytes from one bank or instance to the next. */
const flushesBy = (offsets: readonly number[], apart = 1 << 20) => ({
  isFlush: (event: HardwareEvent): boolean => event.kind === 'register' && offsets.includes(event.offset % apart),
})
const BANK_FLUSHES = {
  isFlush(event: HardwareEvent): boolean {
    const register = event.kind === 'register' ? contextOf(event.offset)?.offset : undefined
    return register === CONTEXT.CTX_TLBIALL || register === CONTEXT.TLBIVA
  },
}
const REFRESHES = { isFlush: (event: HardwareEvent): boolean => event.kind === 'command' && event.name === INSTRUCTIONS.refresh }
const ONE_TRANSLATION = {
  oneTranslation: true, ...ONLY_REGISTERS, mapCannotFail: 'a domain has all of its table from the start',
} as const
const THIRTY_TWO = { physicalBits: 32, deviceBits: 32 } as const

export const kinds: Readonly<Record<KindName, Kind>> = {
  msm: { createMachine: createMsmMachine, ...THIRTY_TWO, ...BANK_FLUSHES, ...ONLY_REGISTERS },
  omap: { createMachine: createOmapMachine, ...THIRTY_TWO, ...flushesBy([OMAP.GFLUSH, OMAP.FLUSH_ENTRY], INSTANCE_BYTES), ...ONLY_REGISTERS },
  'tegra-smmu': {
    createMachine: createTegraSmmuMachine, ...THIRTY_TWO, ...flushesBy([REGISTERS.TLB_FLUSH.offset, REGISTERS.PTC_FLUSH.offset]), ...ONLY_REGISTERS,
  },
  s390: {
    createMachine: (options) => createS390Machine({ ...options, relaxed: true, refresh: false }), physicalBits: 52, deviceBits: 42, ...REFRESHES,
  },
  's390-guest': {
    createMachine: (options) => createS390Machine({ ...options, relaxed: false, refresh: true }), physicalBits: 52, deviceBits: 42, ...REFRESHES,
  },
  'fsl-pamu': { createMachine: createFslPamuMachine, physicalBits: 36, deviceBits: 36, ...flushesBy([]), ...ONLY_REGISTERS },
  'mtk-v1': { createMachine: createMtkV1Machine, ...THIRTY_TWO, ...flushesBy([MTK.INVALIDATE]), ...ONE_TRANSLATION },
  'tegra-gart': {
    createMachine: createTegraGartMachine, physicalBits: 31, deviceBits: 32, ...flushesBy([]), ...ONE_TRANSLATION,
    mapped: [APERTURE.start + 0x10_0000n, APERTURE.start + 0x100_0000n],
    unmapped: APERTURE.start + 0x20_0000n,
    base: APERTURE.start + 0x80_0000n,
    untranslated: (address) => address < APERTURE.start || address > APERTURE.end,
  },
}

/** What a mutant of any driver cannot spoil on any of these. */
const HARMLESS = {
  'logs-refusals': 'with one unit only strangers are refused, and a stranger\'s log is another one',
  'blocks-before-checking': 'with one unit only strangers are refused, and their blocked domain refuses too',
  'map-small-pages': 'it takes 2 MiB pages apart, and there are none',
} as const

const isLegacy = (ops: IommuOps): ops is LegacyDriver => 'idsInUse' in ops

const backend = (name: KindName): LegacyBackend => {
  const { createMachine, ...rest } = kinds[name]
  return {
    name: 'driver-legacy-nodefault',
    backend: name,
    ...rest,
    harmless: HARMLESS,
    createMachine: ({ endpoints }) => createMachine({ endpoints }),
    createDriver([machine], { warn }) {
      if (machine === undefined) throw new RangeError('a driver needs a machine')
      return createDriver(name, machine, { warn })
    },
    idsInUse: (ops) => (isLegacy(ops) ? ops.idsInUse() : 0),
  }
}

/** The first one is where mutants are judged that show everywhere. */
export const backends: readonly LegacyBackend[] = (Object.keys(kinds) as KindName[]).map(backend)
