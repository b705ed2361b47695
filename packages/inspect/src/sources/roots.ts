// Roots: the registers that every walk begins with, from the source, from the caller, or taken for granted and said so.
import { InputError, quoted } from '../input-error.js'
import { hex } from '../spell.js'
import type { VendorId } from '../vendors.js'

/** What a vendor's `root.ts` gives. */
export interface RootRegisters {
  /** The register that --root stands for. */
  readonly register: string
  /** What no table can be read without. */
  readonly needed: readonly string[]
  /** Those of 32 bits; all others have 64. */
  readonly narrow?: readonly string[]
  /** Values of --mode; none where the root register and the tables say it all. */
  readonly modes: readonly string[]
  /** The root register's value in a mode. */
  inMode(root: bigint, mode: string): bigint
  /** Registers of hardware that translates and can do everything that the architecture has; not all have such a value. */
  readonly assumed: Readonly<Record<string, bigint>>
}

/** What the caller says besides the source. */
export interface Given {
  /** A vendor as people call it: "intel", "vtd", "amd", "arm", ... */
  readonly vendor?: string
  readonly registers?: ReadonlyMap<string, bigint>
  /** The root register's value: an address, and in its low bits the mode (VT-d) or the size (AMD-Vi). */
  readonly root?: bigint
  readonly mode?: string
  /** One of several IOMMUs in a text: "dmar1", "iommu1". */
  readonly unit?: string
}

export interface CompletedRegisters {
  readonly registers: ReadonlyMap<string, bigint>
  readonly cautions: readonly string[]
}

const roots: Readonly<Record<VendorId, () => Promise<{ readonly root: RootRegisters }>>> = {
  vtd: () => import('../vtd/root.js'),
  amd: () => import('../amd/root.js'),
  smmuv3: () => import('../smmuv3/root.js'),
  riscv: () => import('../riscv/root.js'),
}

export const loadRoot = async (id: VendorId): Promise<RootRegisters> => (await roots[id]()).root

/** The vendor whose registers these are, where one of them tells. */
export const vendorOfRegisters = async (registers: ReadonlyMap<string, bigint>): Promise<VendorId | undefined> => {
  for (const id of Object.keys(roots) as VendorId[]) {
    if (registers.has((await loadRoot(id)).register)) return id
  }
  return undefined
}

/** What is missing is told about this. */
interface Lacking {
  /** What errors call the source. */
  readonly file: string
  readonly place: string
  /** What of the source would have had the registers: "the text of iommu_regset beside it: ". */
  readonly hint: string
}

const checkWidth = ({ narrow = [] }: RootRegisters, name: string, value: bigint, file: string): void => {
  const bits = narrow.includes(name) ? 32 : 64
  if (value >> BigInt(bits) !== 0n) throw new InputError({ file, place: `register ${name}`, expected: `a number of ${bits} bits`, found: hex(value) })
}

/**
 * The registers of the source, then those of the caller. With --root, hardware that translates and can do everything
 * stands in for what nobody says, and `cautions` say so. Throws InputError where a register is still missing.
 */
export const completeRegisters = (
  root: RootRegisters, known: ReadonlyMap<string, bigint>, { registers: more, root: value, mode }: Given, { file, place, hint }: Lacking,
): CompletedRegisters => {
  const registers = new Map([...known, ...more ?? []])
  if (value !== undefined) registers.set(root.register, value)
  if (mode !== undefined) {
    if (!root.modes.includes(mode)) {
      const expected = root.modes.length === 0 ? `none: ${root.register} and the tables say it` : `one of ${root.modes.join(', ')}`
      throw new InputError({ file: 'the arguments', place: '--mode', expected, found: quoted(mode) })
    }
    registers.set(root.register, root.inMode(registers.get(root.register) ?? 0n, mode))
  }
  for (const [name, found] of registers) checkWidth(root, name, found, file)
  const lacking = root.needed.filter((name) => !registers.has(name))
  const filled = value === undefined ? [] : lacking.filter((name) => root.assumed[name] !== undefined)
  for (const name of filled) registers.set(name, root.assumed[name] as bigint)
  const missing = lacking.filter((name) => !registers.has(name))
  if (missing.length > 0) {
    // Of those that are left with --root there is no value for hardware that can do everything.
    const whole = value === undefined && missing.every((name) => root.assumed[name] !== undefined || name === root.register)
    throw new InputError({
      file, place, found: 'none',
      expected: `${hint}${missing.join(', ')} (--registers FILE${whole ? ',' : ', or'} --register ${missing[0] as string}=0x...${whole ? ', or --root for hardware that can do everything' : ''})`,
    })
  }
  return {
    registers,
    cautions: filled.length === 0 ? [] : [
      `nobody says ${filled.join(', ')}: taken is hardware that translates from ${root.register} ${hex(registers.get(root.register) as bigint)} `
      + 'and can do everything that the architecture has',
    ],
  }
}
