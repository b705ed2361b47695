// The unit behind a capture: its capabilities and directory, ready for the routine that the hardware model runs.
import { decode } from '@iommu/bits'
import { createCaches, createFormats } from '@iommu/driver-riscv/model'
import type { DirectoryState, Hardware } from '@iommu/driver-riscv/model'
import { DIRECTORY_POINTER_MODES, directoryPointer, featureControl, readCapabilities } from '@iommu/driver-riscv/registers'
import type { Capabilities, DirectoryLevels } from '@iommu/driver-riscv/registers'
import type { HardwareView } from '@iommu/hardware'
import { registerOf } from '../capture.js'
import type { Capture } from '../capture.js'
import { InputError } from '../input-error.js'
import { hex } from '../spell.js'

export interface RiscvUnit {
  readonly mode: 'off' | 'bare' | '1-level' | '2-level' | '3-level'
  readonly directory: DirectoryState
  readonly capabilities: Capabilities
  readonly view: HardwareView
  /** The model's hardware over the recorded pages, with caches that know nothing. */
  hardware(): Hardware
}

const { off, bare, oneLevel, threeLevel } = DIRECTORY_POINTER_MODES

const refuse = ({ names }: Capture, register: string, expected: string, found: string): never => {
  throw new InputError({ file: names.registers, place: register, expected, found })
}

const directoryOf = (capture: Capture): DirectoryState => {
  const { MODE, PPN } = decode(directoryPointer, [registerOf(capture, 'ddtp')])
  if (MODE === off || MODE === bare) return { mode: MODE === off ? 'off' : 'bare', root: 0n }
  if (MODE > threeLevel) return refuse(capture, 'ddtp', `a mode up to ${threeLevel}`, hex(MODE))
  return { mode: MODE - oneLevel + 1 as DirectoryLevels, root: PPN }
}

/** Throws InputError where a register is missing, and for what the model does not have. */
export const readUnit = (capture: Capture): RiscvUnit => {
  const { view } = capture
  const capabilities = readCapabilities(registerOf(capture, 'capabilities'))
  const { BE, GXL } = decode(featureControl, [registerOf(capture, 'fctl')])
  if (BE === 1) refuse(capture, 'fctl', 'little-endian tables (BE is 0)', 'BE is 1, which this version does not walk')
  if (GXL === 1) refuse(capture, 'fctl', 'a 64-bit second stage (GXL is 0)', 'GXL is 1, which this version does not walk')
  const directory = directoryOf(capture)
  const formats = createFormats(capabilities)
  return {
    mode: typeof directory.mode === 'number' ? `${directory.mode}-level` : directory.mode,
    directory,
    capabilities,
    view,
    hardware: () => ({
      memory: { walker: view, deviceStore64: (address) => { throw new RangeError(`a recording is not written: ${hex(address)}`) } },
      state: { directory },
      caches: createCaches(),
      capabilities,
      formats,
    }),
  }
}
