// Tables that real kernels wrote, for those who have none at hand. Loaded when asked for.
import type { Handed } from './pack.js'

export interface CaptureExample {
  readonly label: string
  /** The question that is asked of it. */
  readonly ask: Readonly<Record<'rid' | 'iova' | 'access', string>>
  load(): Promise<Handed>
}

/** The bundler writes a file's bytes as a data address. */
const bytesOf = (address: string): Uint8Array => Uint8Array.from(atob(address.slice(address.indexOf(',') + 1)), (letter) => letter.charCodeAt(0))

const example = (
  name: string, label: string, ask: CaptureExample['ask'], load: () => Promise<{ readonly texts: readonly [string, string, string]; readonly binary: string }>,
): CaptureExample => ({
  label, ask,
  async load() {
    const { texts: [meta, registers, tables], binary } = await load()
    return { name, files: { meta, registers, tables, bytes: bytesOf(binary) } }
  },
})

export const CAPTURE_EXAMPLES: readonly CaptureExample[] = [
  example('intel-7.3.4-scalable-edu-blocked-dma', 'VT-d: a device that nobody may use yet', { rid: '0000:00:04.0', iova: '0x1000', access: 'read' },
    () => import('./example-vtd.js')),
  example('amd-7.3.4-v1-edu-faulted-pending', 'AMD-Vi: a write to a read-only page', { rid: '0000:00:04.0', iova: '0x200000', access: 'write' },
    () => import('./example-amd.js')),
  example('arm-7.3.4-stage1-edu-faulted-pending', 'SMMUv3: an address that was never mapped', { rid: '0000:00:04.0', iova: '0xdead000', access: 'read' },
    () => import('./example-smmuv3.js')),
]
