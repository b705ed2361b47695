// Intel VT-d on q35: legacy mode, and scalable mode with either stage, which QEMU never has together.
import { decode, encode } from '@iommu/bits'
import { faultReasons, faultRecord, faultStatus, OFFSETS, readCapabilities } from '@iommu/driver-intel-vtd/registers'
import type { Board, BoardFacts, FaultSource, RecordedFault } from './board.js'
import { platform, x86 } from './x86.js'

/** QEMU puts the unit here; on real machines the firmware's DMAR table says where it is. */
const REGISTERS = 0xfed9_0000n

/** An option as this QEMU spells it: names lost their "x-" when they were finished. */
const spelled = (names: ReadonlySet<string>, ...spellings: readonly string[]): string | undefined =>
  spellings.find((each) => names.has(each))

/** Options of scalable mode, by what they are for. */
const SCALABLE = ['scalable-mode', 'x-scalable-mode'] as const
const FIRST_STAGE = ['fsts', 'x-flts'] as const
/** CAP.CM: what is not present may be cached, and software tells of what it adds. */
const CACHING_MODE = ['caching-mode'] as const

/**
 * Takes every pending fault. QEMU has one record, drops a second fault of the same requester silently, and records
 * nothing at all while the overflow flag is up.
 */
const readFaults = ({ registers }: FaultSource): readonly RecordedFault[] => {
  const capabilities = readCapabilities(registers.read64(OFFSETS.CAP), registers.read64(OFFSETS.ECAP))
  const status = decode(faultStatus, [BigInt(registers.read32(OFFSETS.FSTS))])
  const faults: RecordedFault[] = []
  for (let index = 0; status.PPF === 1 && index < capabilities.faultRecords; index++) {
    const at = capabilities.faultOffset + index * 16
    const { F, SID, FI, FR, T, PP, PV } = decode(faultRecord, [registers.read64(at), registers.read64(at + 8)])
    if (F === 0) continue
    faults.push({
      source: SID, address: FI, access: T === 1 ? 'read' : 'write', code: FR, recorded: true,
      name: faultReasons.get(FR)?.meaning ?? 'unknown',
      // Without PP the PASID means nothing.
      fields: PP === 1 ? { PP, PV } : { PP },
    })
    registers.write64(at + 8, encode(faultRecord, { F: 1 })[1] as bigint)
  }
  if (status.PFO === 1) registers.write32(OFFSETS.FSTS, Number(encode(faultStatus, { PFO: 1 })[0]))
  return faults
}

type Need = readonly (readonly string[])[]

/** `needs`: options that are switched on, each with its spellings. */
const board = (name: string, needs: Need): Board => {
  const options = ({ properties }: BoardFacts): readonly (string | undefined)[] => {
    const names = properties('intel-iommu')
    return needs.map((spellings) => spelled(names, ...spellings))
  }
  return {
    ...x86,
    name,
    registers: REGISTERS,
    lacks(facts) {
      const missing = options(facts).findIndex((each) => each === undefined)
      return missing < 0 ? undefined : `QEMU ${facts.installation.version} has no intel-iommu with ${needs[missing]?.[0] ?? ''}`
    },
    arguments(facts, folder) {
      const chosen = options(facts).flatMap((each) => (each === undefined ? [] : [`${each}=on`]))
      return [...platform(facts, folder), '-device', ['intel-iommu', 'aw-bits=48', ...chosen].join(',')]
    },
    pageShifts: [12, 21, 30],
    readFaults,
  }
}

export const vtdLegacy = board('vtd-legacy', [])
export const vtdSecondStage = board('vtd-second-stage', [SCALABLE])
export const vtdFirstStage = board('vtd-first-stage', [SCALABLE, FIRST_STAGE])
export const vtdLegacyCaching = board('vtd-legacy-caching', [CACHING_MODE])
export const vtdSecondStageCaching = board('vtd-second-stage-caching', [SCALABLE, CACHING_MODE])
export const vtdFirstStageCaching = board('vtd-first-stage-caching', [SCALABLE, FIRST_STAGE, CACHING_MODE])
