// Which Debian suites have which series of QEMU. Suites roll: what they hold now is what is unpacked.

/**
 * `suites` in which packages and what they need are found; `target` has QEMU itself; `what` says what a series is for.
 */
export const seriesList = [
  { series: '11.1', suites: ['trixie', 'trixie-backports'], target: 'trixie-backports', what: 'the reference' },
  { series: '10.0', suites: ['bookworm', 'bookworm-backports'], target: 'bookworm-backports', what: 'for the matrix: RID_PASID' },
  { series: '7.2', suites: ['bookworm'], target: 'bookworm', what: 'for the matrix: RID_PASID, AMD-Vi permissions at every level' },
]

export const packages = ['qemu-system-x86', 'qemu-system-arm']
