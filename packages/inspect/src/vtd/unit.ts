// The unit behind a capture: its capabilities and tables, ready for the routine that the hardware model runs.
import { decode } from '@iommu/bits'
import { createCaches, createFormats } from '@iommu/driver-intel-vtd/model'
import type { Hardware, Reader } from '@iommu/driver-intel-vtd/model'
import { globalStatus, readCapabilities, rootTableAddress, TABLE_MODES } from '@iommu/driver-intel-vtd/registers'
import type { HardwareView, Step } from '@iommu/hardware'
import { registerOf } from '../capture.js'
import type { Capture } from '../capture.js'

/** What the registers make of DMA. `off`: nothing is translated; `abort`: everything is refused. */
export type Mode = 'off' | 'legacy' | 'scalable' | 'abort' | 'reserved'

export interface VtdUnit {
  readonly mode: Mode
  readonly rootTable: bigint
  readonly view: HardwareView
  /** Nested translation exists, though this version does not walk it. */
  readonly nested: boolean
  /** The model's hardware over the recorded pages, with caches that know nothing. */
  hardware(): Hardware
  reader(steps: Step[]): Reader
}

/**
 * No register tells the host address width. The widest that the architecture has: a pointer that real hardware
 * would find too high leads here to a page that was not recorded, and so to an error that names it.
 */
const HOST_ADDRESS_BITS = 52

const modeOf = (translating: boolean, tableMode: number): Mode => {
  if (!translating) return 'off'
  const named = Object.entries(TABLE_MODES).find(([value]) => Number(value) === tableMode)?.[1]
  return named === undefined ? 'reserved' : named === 'abort all DMA' ? 'abort' : named
}

/** Throws InputError where a register is missing. */
export const readUnit = (capture: Capture): VtdUnit => {
  const capabilities = readCapabilities(registerOf(capture, 'CAP'), registerOf(capture, 'ECAP'))
  const { TES } = decode(globalStatus, [registerOf(capture, 'GSTS')])
  const { TTM, RTA } = decode(rootTableAddress, [registerOf(capture, 'RTADDR')])
  const mode = modeOf(TES === 1, TTM)
  const formats = createFormats(capabilities, HOST_ADDRESS_BITS)
  return {
    mode,
    rootTable: RTA,
    view: capture.view,
    nested: capabilities.nested,
    hardware: () => ({
      memory: { walker: capture.view },
      state: { translating: mode !== 'off', rootTable: RTA, mode: mode === 'off' ? 'legacy' : mode },
      caches: createCaches(),
      capabilities,
      hostAddressBits: HOST_ADDRESS_BITS,
      formats,
    }),
    reader: (steps) => ({ view: capture.view, capabilities, hostAddressBits: HOST_ADDRESS_BITS, steps }),
  }
}
