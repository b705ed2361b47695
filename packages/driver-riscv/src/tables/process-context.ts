// Process contexts: what a device's requests with one process id (PASID) go through.
import { address, bit, entry, field } from '@iommu/bits'

export const processContext = entry('riscv.pc', {
  title: 'Process context', bits: 128, section: 'riscv:2.2.3?', confirmedBy: ['linux', 'qemu', 'spec'],
  reserved: [[11, 3], [63, 32], [123, 108]],
}, {
  V: bit(0, 'Valid'),
  ENS: bit(1, 'Supervisor requests are allowed', { confirmedBy: ['linux', 'spec'] }),
  SUM: bit(2, 'Supervisors may read and write user pages', { confirmedBy: ['linux', 'spec'] }),
  PSCID: field(31, 12, 'Process Soft-context Identifier', undefined, { alias: ['ta.PSCID'], confirmedBy: ['linux', 'spec'] }),
  FSC_PPN: address(107, 64, 'First-stage root table', { scale: 12, alias: ['fsc.PPN'] }),
  FSC_MODE: field(127, 124, 'First-stage mode', { 0: 'Bare', 8: 'Sv39', 9: 'Sv48', 10: 'Sv57' }, { alias: ['fsc.MODE'], confirmedBy: ['linux', 'spec'] }),
})
