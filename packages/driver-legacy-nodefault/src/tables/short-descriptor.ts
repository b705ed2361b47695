// Short descriptors: Arm's two-level tables of 32-bit entries, which msm and omap share; msm's have attributes, omap's
// have none.
//
//   level 0: 4096 entries, 1 MiB each: a table, a section of 1 MiB, or a supersection of 16 MiB in 16 copies
//   level 1:  256 entries, 4 KiB each: a small page of 4 KiB, or a large page of 64 KiB in 16 copies
import { decodeField } from '@iommu/bits'
import type { Entry } from '@iommu/bits'
import type { Meaning, PageKind, Permissions, Shape } from './shape.js'
import { word } from './words.js'

/** The two low bits of an entry. 3 is a small page that cannot be executed; in level 0 it is nothing that is known. */
const TABLE = 1
const SECTION = 2
const LARGE = 1

/** Which of the four page entries. */
export type Descriptor = 'section' | 'supersection' | 'small' | 'large'

export interface ShortDescriptors {
  readonly name: string
  readonly table: Entry
  readonly pages: Readonly<Record<Descriptor, Entry>>
  /** The attribute fields of a page with these permissions. */
  readonly attributes: (permissions: Permissions) => Readonly<Record<string, number>>
  /** What the attribute fields of a page let through. */
  readonly permissions: (layout: Entry, value: bigint) => Permissions
  readonly refuses: Shape['refuses']
}

const SHIFTS: Readonly<Record<Descriptor, number>> = { small: 12, large: 16, section: 20, supersection: 24 }

const low = (layout: Entry, value: bigint, field: string): number => Number(decodeField(layout, [value], field))

export const shortShape = ({ name, table, pages, attributes, permissions, refuses }: ShortDescriptors): Shape => {
  const page = (which: Descriptor, value: bigint): Meaning => ({
    is: 'page', shift: SHIFTS[which], physical: BigInt(decodeField(pages[which], [value], 'BASE')), ...permissions(pages[which], value),
  })
  const kind = (which: Descriptor): PageKind => ({
    shift: SHIFTS[which],
    encode: (physical, access) => word(pages[which], {
      TYPE: which === 'large' ? LARGE : SECTION,
      ...(which === 'section' || which === 'supersection' ? { SUPER: which === 'supersection' ? 1 : 0 } : {}),
      BASE: physical,
      ...attributes(access),
    }),
  })
  return {
    name,
    form: { bytes: 4, order: 'little' },
    physicalBits: 32,
    refuses,
    levels: [
      {
        name: table.name, high: 31, low: 20, empty: 0n, pages: [kind('section'), kind('supersection')],
        read(value) {
          switch (low(table, value, 'TYPE')) {
            case 0: return { is: 'empty' }
            case TABLE: return { is: 'table', at: BigInt(decodeField(table, [value], 'BASE')), read: true, write: true }
            case SECTION: return page(low(pages.section, value, 'SUPER') === 1 ? 'supersection' : 'section', value)
            default: return { is: 'invalid' }
          }
        },
        table: (at) => word(table, { TYPE: TABLE, BASE: at }),
      },
      {
        name: pages.small.name, high: 19, low: 12, empty: 0n, pages: [kind('small'), kind('large')],
        read(value) {
          const type = low(pages.small, value, 'TYPE')
          return type === 0 ? { is: 'empty' } : page(type === LARGE ? 'large' : 'small', value)
        },
      },
    ],
  }
}
