// Statements that a right driver fails on QEMU, because QEMU is not as the specification says there.

export interface Exception {
  /** A name for it, as in the list of `iommu agree`. */
  readonly deviation: string
  readonly says: string
  readonly statements: readonly string[]
  readonly boards: readonly string[]
  /** Series of QEMU; all where absent. */
  readonly series?: readonly string[]
  /** What the statement's failure says: QEMU's own answer. */
  readonly shows: RegExp
}

/** What leaving pass-through breaks. */
const LEAVING = ['C-ATTACH-04', 'C-ATTACH-05', 'C-ATTACH-06', 'C-ATTACH-10', 'C-ATTACH-17', 'C-BLOCK-02', 'C-IDENT-05']
/** What is found is the device address itself. */
const IDENTITY_FOUND = /read of (0x[0-9a-f]+) by [0-9a-f:.]+: expected (?:0x[0-9a-f]+|blocked), found \1$/

export const exceptions: readonly Exception[] = [
  {
    deviation: 'vtd-pass-through-sticks',
    says: 'a PASID entry that leaves pass-through by clearing P alone goes on passing through, until a later invalidation finds another type in it; caching mode sends one',
    statements: LEAVING,
    boards: ['vtd-second-stage', 'vtd-first-stage'],
    shows: IDENTITY_FOUND,
  },
  {
    deviation: 'vtd-pass-through-sticks',
    says: 'a PASID entry that leaves pass-through goes on passing through: a PASID-cache invalidation does not make QEMU look at it again',
    statements: LEAVING,
    boards: ['vtd-second-stage-caching', 'vtd-first-stage-caching'],
    series: ['10.0', '7.2'],
    shows: IDENTITY_FOUND,
  },
  {
    deviation: 'vtd-present-unseen',
    says: 'P of a PASID entry is not looked at while the context entry is cached: a DMA between the clearing of P and of the rest brings the old translation back into the IOTLB',
    statements: ['C-ATTACH-06'],
    boards: ['vtd-second-stage-caching', 'vtd-first-stage-caching'],
    series: ['11.1'],
    shows: /DMA all the time: read of 0x[0-9a-f]+ by [0-9a-f:.]+: expected blocked, found 0x[0-9a-f]+$/,
  },
  {
    deviation: 'amd-all-without-devices',
    says: 'INVALIDATE_IOMMU_ALL does not make QEMU look at device table entries again: a device passes through until the first INVALIDATE_DEVTAB_ENTRY that names it',
    statements: ['C-ATTACH-04', 'C-ATTACH-07', 'C-ATTACH-10', 'C-BLOCK-02', 'C-BLOCK-03', 'C-BLOCK-04'],
    boards: ['amd-vi'],
    series: ['11.1'],
    shows: /read of (0x[0-9a-f]+) by [0-9a-f:.]+: expected blocked, found \1$/,
  },
  {
    deviation: 'riscv-iotinval-one-page',
    says: 'IOTINVAL with an address in a leaf of more than 4 KiB makes QEMU forget 4 KiB of it, and go on by the rest',
    statements: ['C-UNMAP-02', 'C-UNMAP-03'],
    boards: ['riscv', 'riscv-base'],
    shows: /read of 0x[0-9a-f]+ by [0-9a-f:.]+: expected blocked, found 0x[0-9a-f]+$/,
  },
]
