// Things to try: lines and words that Linux really printed.

export interface Example {
  readonly label: string
  readonly text: string
  readonly as?: string
}

export const EXAMPLES: readonly Example[] = [
  {
    label: 'VT-d fault line',
    text: '[6611.206544] DMAR: [DMA Read NO_PASID] Request device [03:00.0] fault addr 0x100000 [fault reason 0x71]',
  },
  { label: 'VT-d PASID entry', text: '0x0:0x800002:0x1038a5089', as: 'vtd.pasid' },
  { label: 'AMD page fault', text: 'AMD-Vi: Event logged [IO_PAGE_FAULT domain=0x000d address=0xcff49550 flags=0x0070]' },
  { label: 'AMD device table row', text: '0000:00:01.0 0000000000000000 20000001373b8013 0000000000000038 6000000114d7b603 iommu0' },
  { label: 'SMMUv3 event', text: 'event 0x10 received: 0x0000000100000010 0x0000020000000000 0x00000000ffffe040 0x00000000ffffe040' },
  { label: 'a field', text: 'smmuv3.ste.Config' },
]
