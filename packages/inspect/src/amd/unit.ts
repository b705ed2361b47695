// The unit behind a capture: its capabilities and tables, ready for the routine that the hardware model runs.
import { decode } from '@iommu/bits'
import { createCaches, createFormats } from '@iommu/driver-amd-vi/model'
import type { DeviceTable, Hardware, Reader } from '@iommu/driver-amd-vi/model'
import { control, deviceTableBase, readCapabilities } from '@iommu/driver-amd-vi/registers'
import type { Capabilities } from '@iommu/driver-amd-vi/registers'
import type { HardwareView, Step } from '@iommu/hardware'
import { registerOf } from '../capture.js'
import type { Capture } from '../capture.js'

export interface AmdUnit {
  readonly mode: 'off' | 'on'
  readonly deviceTable: DeviceTable
  readonly capabilities: Capabilities
  readonly view: HardwareView
  /** The model's hardware over the recorded pages, with caches that know nothing. */
  hardware(): Hardware
  reader(steps: Step[]): Reader
}

/**
 * No register tells the host address width. The widest that the architecture has: a pointer that real hardware
 * would find too high leads here to a page that was not recorded, and so to an error that names it.
 */
export const HOST_ADDRESS_BITS = 52
/** The capability header lies in PCI configuration space, which a capture has not. Nothing here depends on it. */
const NO_HEADER = 0

/** Throws InputError where a register is missing. */
export const readUnit = (capture: Capture): AmdUnit => {
  const { IommuEn, GTEn } = decode(control, [registerOf(capture, 'CONTROL')])
  const { Base, Size } = decode(deviceTableBase, [registerOf(capture, 'DEVTAB_BASE')])
  const capabilities = readCapabilities(registerOf(capture, 'EFR'), NO_HEADER)
  const deviceTable = { base: Base, bytes: (Size + 1) * 4096 }
  const formats = createFormats(capabilities, HOST_ADDRESS_BITS)
  const { view } = capture
  return {
    mode: IommuEn === 1 ? 'on' : 'off',
    deviceTable,
    capabilities,
    view,
    hardware: () => ({
      memory: { walker: view },
      state: { translating: IommuEn === 1, guestEnabled: GTEn === 1, deviceTable },
      caches: createCaches(),
      capabilities,
      hostAddressBits: HOST_ADDRESS_BITS,
      formats,
    }),
    reader: (steps) => ({ view, capabilities, hostAddressBits: HOST_ADDRESS_BITS, guestEnabled: GTEn === 1, steps }),
  }
}
