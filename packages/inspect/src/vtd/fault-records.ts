// Fault records that were still waiting in the registers when a capture was taken.
import { decode } from '@iommu/bits'
import { faultReasons, faultRecord } from '@iommu/driver-intel-vtd/registers'
import { nameOfRequester } from '../bdf.js'
import type { Capture } from '../capture.js'
import type { PendingFault } from '../vendor.js'

/** Recorded as FRCD0_LO and FRCD0_HI, FRCD1_LO, ... */
const RECORD = /^FRCD(\d+)_LO$/

export const pendingFaults = ({ registers, devices }: Capture): PendingFault[] =>
  [...registers].flatMap(([name, low]) => {
    const high = registers.get(name.replace('_LO', '_HI'))
    if (!RECORD.test(name) || high === undefined) return []
    const { F, SID, PP, PV, T, FI, FR } = decode(faultRecord, [low, high])
    if (F === 0) return []
    return [{
      device: devices.find(({ requesterId }) => requesterId === SID)?.bdf ?? nameOfRequester(SID),
      ...(PP === 1 ? { pasid: PV } : {}),
      access: T === 1 ? 'read' as const : 'write' as const,
      address: `0x${FI.toString(16)}`,
      code: FR,
      name: faultReasons.get(FR)?.meaning ?? 'unknown',
    }]
  })
