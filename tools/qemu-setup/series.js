// Which Debian suites have which series of QEMU, and what is unpacked of each. Suites roll: what they hold now is what is unpacked.

/** The package that each emulator is in. */
const PACKAGES = {
  'qemu-system-x86_64': 'qemu-system-x86', 'qemu-system-aarch64': 'qemu-system-arm', 'qemu-system-riscv64': 'qemu-system-riscv',
}

const all = Object.keys(PACKAGES)

/**
 * `suites` in which packages and what they need are found; `target` has QEMU itself; `what` says what a series is for;
 * `emulators` are those that boards of the series run on.
 */
export const seriesList = [
  { series: '11.1', suites: ['trixie', 'trixie-backports'], target: 'trixie-backports', what: 'the reference', emulators: all },
  { series: '10.0', suites: ['bookworm', 'bookworm-backports'], target: 'bookworm-backports', what: 'for the matrix: RID_PASID', emulators: all },
  {
    series: '7.2', suites: ['bookworm'], target: 'bookworm', what: 'for the matrix: RID_PASID, AMD-Vi permissions at every level',
    // It has no RISC-V IOMMU.
    emulators: ['qemu-system-x86_64', 'qemu-system-aarch64'],
  },
]

/** The packages that a series is unpacked from. */
export const packagesOf = ({ emulators }) => emulators.map((each) => PACKAGES[each])

/** What an installation lacks of a series: an earlier setup may have unpacked less. All of it where there is no installation. */
export const lacking = ({ emulators }, installation) => emulators.filter((each) => installation?.command(each) === undefined)
