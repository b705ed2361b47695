// The SMMU behind a capture: its capabilities and tables, ready for the routine that the hardware model runs.
import { decode } from '@iommu/bits'
import { createCaches, createFormats } from '@iommu/driver-arm-smmuv3/model'
import type { Hardware, Reader, StreamTable } from '@iommu/driver-arm-smmuv3/model'
import { control0, control2, globalBypass, readCapabilities, streamTableBase, streamTableConfig } from '@iommu/driver-arm-smmuv3/registers'
import type { Capabilities } from '@iommu/driver-arm-smmuv3/registers'
import type { HardwareView, Step } from '@iommu/hardware'
import { registerOf } from '../capture.js'
import type { Capture } from '../capture.js'

export interface SmmuUnit {
  /** `off`: DMA passes; `abort`: it is refused, because translation is off and GBPA says so. */
  readonly mode: 'off' | 'abort' | 'on'
  readonly streamTable: StreamTable
  readonly capabilities: Capabilities
  readonly view: HardwareView
  /** The model's hardware over the recorded pages, with caches that know nothing. */
  hardware(): Hardware
  reader(steps: Step[]): Reader
}

/** Throws InputError where a register is missing. */
export const readUnit = (capture: Capture): SmmuUnit => {
  const half = (name: string): number => Number(registerOf(capture, name))
  const { SMMUEN, ATSCHK } = decode(control0, [registerOf(capture, 'CR0')])
  const { RECINVSID } = decode(control2, [registerOf(capture, 'CR2')])
  const { ABORT } = decode(globalBypass, [registerOf(capture, 'GBPA')])
  const { ADDR } = decode(streamTableBase, [registerOf(capture, 'STRTAB_BASE')])
  const { LOG2SIZE, SPLIT, FMT } = decode(streamTableConfig, [registerOf(capture, 'STRTAB_BASE_CFG')])
  const capabilities = readCapabilities({ IDR0: half('IDR0'), IDR1: half('IDR1'), IDR3: half('IDR3'), IDR5: half('IDR5') })
  const streamTable: StreamTable = { base: ADDR, log2size: LOG2SIZE, split: FMT === 1 ? SPLIT : 0 }
  const formats = createFormats()
  const { view } = capture
  return {
    mode: SMMUEN === 1 ? 'on' : ABORT === 1 ? 'abort' : 'off',
    streamTable,
    capabilities,
    view,
    hardware: () => ({
      memory: { walker: view },
      state: {
        translating: SMMUEN === 1, abortsWhileOff: ABORT === 1, checksAts: ATSCHK === 1, recordsBadStreams: RECINVSID === 1, streamTable,
      },
      caches: createCaches(),
      capabilities,
      formats,
    }),
    reader: (steps) => ({ view, capabilities, formats, steps }),
  }
}
