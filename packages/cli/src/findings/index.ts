// All findings, in the order in which they are listed.
import { bodyFindings } from './bodies.js'
import type { Finding } from './finding.js'
import { linuxFindings } from './linux.js'
import { qemuRiscvFindings } from './qemu-riscv.js'
import { qemuFindings } from './qemu.js'
import { readingFindings } from './readings.js'

export const findings: readonly Finding[] = [...linuxFindings, ...bodyFindings, ...qemuFindings, ...qemuRiscvFindings, ...readingFindings]
