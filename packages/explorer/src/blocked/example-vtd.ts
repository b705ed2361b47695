// Recorded from Linux 7.3.4 on QEMU 11.1: intel-7.3.4-scalable-edu-blocked-dma.
import binary from '../../../inspect/test/fixtures/captures/intel-7.3.4-scalable-edu-blocked-dma/tables.bin?inline'
import meta from '../../../inspect/test/fixtures/captures/intel-7.3.4-scalable-edu-blocked-dma/meta.json?raw'
import registers from '../../../inspect/test/fixtures/captures/intel-7.3.4-scalable-edu-blocked-dma/registers.json?raw'
import tables from '../../../inspect/test/fixtures/captures/intel-7.3.4-scalable-edu-blocked-dma/tables.json?raw'

export const texts = [meta, registers, tables] as const
export { binary }
