// Recorded from Linux 7.3.4 on QEMU 11.1: arm-7.3.4-stage1-edu-faulted-pending.
import binary from '../../../inspect/test/fixtures/captures/arm-7.3.4-stage1-edu-faulted-pending/tables.bin?inline'
import meta from '../../../inspect/test/fixtures/captures/arm-7.3.4-stage1-edu-faulted-pending/meta.json?raw'
import registers from '../../../inspect/test/fixtures/captures/arm-7.3.4-stage1-edu-faulted-pending/registers.json?raw'
import tables from '../../../inspect/test/fixtures/captures/arm-7.3.4-stage1-edu-faulted-pending/tables.json?raw'

export const texts = [meta, registers, tables] as const
export { binary }
