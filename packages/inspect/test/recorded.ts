// Captures and what Linux said about them, as tests read them.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { gunzipSync } from 'node:zlib'
import { readCapture } from '../src/index.js'
import type { Capture, CaptureFiles } from '../src/index.js'

/** Captures that belong to this package. */
export const OWN = fileURLToPath(new URL('fixtures/captures/', import.meta.url))
/** A larger set, where somebody has put it beside the repository. */
export const LARGER = fileURLToPath(new URL('../../../../shared/captures/', import.meta.url))

export type Platform = 'intel' | 'amd' | 'arm'
export const PLATFORMS: readonly Platform[] = ['intel', 'amd', 'arm']

/** Names of a platform's captures, or of all. */
export const capturesIn = (folder: string, platform?: Platform): string[] =>
  existsSync(folder) ? readdirSync(folder).filter((name) => name.startsWith(platform === undefined ? '' : `${platform}-`)
    && existsSync(`${folder}${name}/meta.json`)).sort() : []

/** The four files that the product may read. */
export const filesOf = (folder: string): CaptureFiles => ({
  meta: readFileSync(`${folder}/meta.json`, 'utf8'),
  registers: readFileSync(`${folder}/registers.json`, 'utf8'),
  tables: readFileSync(`${folder}/tables.json`, 'utf8'),
  bytes: readFileSync(`${folder}/tables.bin`),
})

export const captureAt = (folder: string): Promise<Capture> => readCapture(filesOf(folder))

export interface ExpectedDevice {
  readonly bdf: string
  /** Linux's own account. */
  readonly currentDomain: string
  readonly expectedEffect: string
  readonly words: readonly string[] | null
  readonly pasidEntries?: Readonly<Record<string, readonly string[]>>
}

export const expectedAt = (folder: string): readonly ExpectedDevice[] =>
  (JSON.parse(readFileSync(`${folder}/expected.json`, 'utf8')) as { devices: ExpectedDevice[] }).devices

const truthAt = (folder: string): string =>
  existsSync(`${folder}/truth.txt`)
    ? readFileSync(`${folder}/truth.txt`, 'utf8')
    : gunzipSync(readFileSync(`${folder}/truth.txt.gz`)).toString('utf8')

/** A page that Linux says is mapped. Rights that Linux wants to be there, or (false) not to be there. */
export interface Mapping {
  readonly device: string
  readonly pasid?: number
  readonly iova: bigint
  readonly physical: bigint
  readonly size: bigint
  readonly read?: boolean
  readonly write?: boolean
}

/** A page of a live `iommu:map` event; the event does not say in which domain. */
export interface TracedPage {
  readonly iova: bigint
  readonly physicals: readonly bigint[]
  /** Maps less unmaps of the page. */
  readonly live: number
}

export interface Truth {
  /** domain_translation_struct */
  readonly debugfs: readonly Mapping[]
  /** dmar_translation_struct: device, PASID and words, high first as printed */
  readonly pasidEntries: readonly {
    readonly device: string
    readonly pasid: number
    readonly words: readonly bigint[]
  }[]
  readonly vfio: readonly Mapping[]
  /** What the DMA API says it has mapped, of translated and identity domains alike. */
  readonly dmaApi: readonly Mapping[]
  readonly traced: readonly TracedPage[]
}

const PAGE = 0x1000n

const readDebugfs = (title: string, lines: readonly string[]): Mapping[] => {
  const [, device, pasid] = /intel\/([0-9a-f:.]+)\/(?:([0-9a-f]+)\/)?domain_translation_struct/.exec(title) ?? []
  if (device === undefined) return []
  return lines.flatMap((line): Mapping[] => {
    const match = /^0x([0-9a-f]+) \|\s+(.*)$/.exec(line)
    if (match === null) return []
    // PML5E, PML4E, PDPE, PDE, PTE: the last one printed is the leaf.
    const words = (match[2] as string).trim().split(/\s+/).map(BigInt)
    const leaf = words[words.length - 1] as bigint
    const size = PAGE << BigInt(9 * (5 - words.length))
    return [{
      device, iova: BigInt(`0x${match[1]}`) * PAGE, physical: leaf & 0xf_ffff_ffff_f000n & ~(size - 1n), size,
      ...(pasid === undefined ? {} : { pasid: parseInt(pasid, 16) }),
    }]
  })
}

const readPasidEntries = (lines: readonly string[]): Truth['pasidEntries'] => lines.flatMap((line) => {
  const match = /^([0-9a-f:.]+)\t\S+\t\S+\t(\d+)\s+(0x\S+)$/.exec(line)
  if (match === null) return []
  return [{ device: `0000:${match[1]}`, pasid: Number(match[2]), words: (match[3] as string).split(':').map(BigInt) }]
})

const readVfio = (lines: readonly string[]): Mapping[] =>
  lines.flatMap((line): Mapping[] => {
    const match = /VFIOMAP (\S+) iova=(\S+) paddr=(\S+) size=(\S+) prot=(\S+)/.exec(line)
    // Some kernels did not let the tool see physical addresses.
    if (match === null || match[3] === '0x0') return []
    const [, device, iova, physical, size, rights] = match as unknown as [
      string,
      string,
      string,
      string,
      string,
      string,
    ]
    return [
      {
        device,
        iova: BigInt(iova),
        physical: BigInt(physical),
        size: BigInt(size),
        read: rights.includes('r'),
        write: rights.includes('w'),
      },
    ]
  })

const readDmaApi = (lines: readonly string[]): Mapping[] =>
  lines.flatMap((line): Mapping[] => {
    const match = / (\S+:\S+\.\d) .*P=0x([0-9a-f]+) D=([0-9a-f]+) .*DMA_(TO_DEVICE|FROM_DEVICE|BIDIRECTIONAL)/.exec(
      line,
    )
    if (match === null) return []
    const [, device, physical, iova, direction] = match as unknown as [string, string, string, string, string]
    return [
      {
        device,
        iova: BigInt(`0x${iova}`),
        physical: BigInt(`0x${physical}`),
        size: 1n,
        ...(direction === 'TO_DEVICE'
          ? { read: true }
          : direction === 'FROM_DEVICE'
          ? { write: true }
          : { read: true, write: true }),
      },
    ]
  })

/** PASIDs that the tool took away again: their domains were freed, and no unmap was traced. */
const detachedPages = (log: readonly string[]): ReadonlySet<bigint> => {
  const gone = new Set(log.flatMap((line) => /PASIDDETACH pasid (\d+)/.exec(line)?.[1] ?? []))
  return new Set(log.flatMap((line) => {
    const [, pasid, iova] = /PASIDATTACH \S+ pasid (\d+) .*iova (\S+)/.exec(line) ?? []
    return pasid !== undefined && gone.has(pasid) ? [BigInt(iova as string)] : []
  }))
}

interface TraceEvent {
  readonly from: bigint
  readonly to: bigint
  /** Undefined: an unmap. */
  readonly physical: bigint | undefined
}

const readEvent = (line: string): TraceEvent[] => {
  const map = / map: IOMMU: iova=(\S+) - (\S+) paddr=(\S+)/.exec(line) as unknown as
    | [string, string, string, string]
    | null
  if (map !== null) return [{ from: BigInt(map[1]), to: BigInt(map[2]), physical: BigInt(map[3]) }]
  const unmap = / unmap: IOMMU: iova=(\S+) - \S+ size=\d+ unmapped_size=(\d+)/.exec(line) as unknown as
    | [string, string, string]
    | null
  return unmap === null
    ? []
    : [{ from: BigInt(unmap[1]), to: BigInt(unmap[1]) + BigInt(unmap[2]), physical: undefined }]
}

/** Every page of an event; of events over a megabyte one page in so many. */
const SAMPLE = 61n
const pagesOf = ({ from, to }: TraceEvent): bigint[] => {
  const step = to - from > 0x10_0000n ? PAGE * SAMPLE : PAGE
  return Array.from({ length: Number((to - from + step - 1n) / step) }, (_, index) => from + BigInt(index) * step)
}

const readTrace = (lines: readonly string[], gone: ReadonlySet<bigint>): TracedPage[] => {
  const events = lines.flatMap(readEvent)
  const pages = [...new Set(events.flatMap(pagesOf))].filter((iova) => !gone.has(iova))
  return pages.map((iova) => {
    const here = events.filter(({ from, to }) => from <= iova && iova < to)
    const physicals = here.flatMap(({ from, physical }) => (physical === undefined ? [] : [physical + iova - from]))
    return { iova, physicals, live: 2 * physicals.length - here.length }
  })
}

export const readTruth = (folder: string): Truth => {
  const sections = truthAt(folder)
    .split(/^### /m)
    .slice(1)
    .map((section) => {
      const [title = '', ...lines] = section.split('\n')
      return { title, lines }
    })
  const named = (part: string): string[] =>
    sections.filter(({ title }) => title.includes(part)).flatMap(({ lines }) => lines)
  return {
    debugfs: sections.flatMap(({ title, lines }) => readDebugfs(title, lines)),
    pasidEntries: readPasidEntries(named('dmar_translation_struct')),
    vfio: readVfio(named('tool log')),
    dmaApi: readDmaApi(named('dma-api/dump')),
    traced: readTrace(named('tracing/trace'), detachedPages(named('tool log'))),
  }
}

export const dmesgAt = (folder: string): string => readFileSync(`${folder}/dmesg-iommu.txt`, 'utf8')
