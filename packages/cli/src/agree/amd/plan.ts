// An AMD-Vi table state as data: the device table's register and entry, and the pages of the host tables behind them.
import { deviceTableBase } from '@iommu/driver-amd-vi/registers'
import { deviceTableEntry } from '@iommu/driver-amd-vi/tables'
import { amdV1Entry } from '@iommu/page-table'
import { createGround, plant, tweaked } from '../ground.js'
import type { Frames } from '../ground.js'
import type { Page, PlannedState } from '../plan.js'

/** A page of any power of two: its leaf has the size of its level, or holds its size. */
export interface AmdPage extends Page {
  /** log2 of its size. */
  readonly shift: number
}

/** The register that says where the device table is, and the device's entry. */
export type WayPoint = 'table' | 'device'

export interface AmdPlan extends PlannedState<WayPoint, AmdPage> {
  /** Levels of the host tables, as Mode says. */
  readonly levels: number
}

/** Frames of words, by frame number, and where things are. */
export interface Built {
  readonly frames: Frames
  /** The register of the device table. */
  readonly register: bigint
  /** The root of the host tables. */
  readonly tables: bigint
}

/** The first frames of the tables' region belong to the command buffer, the event log, and what a completion stores. */
export const COMMANDS_FRAME = 0x1000
export const EVENTS_FRAME = 0x1001
export const STATUS_FRAME = 0x1002
export const FIRST_FRAME = 0x1004
export const DOMAIN_ID = 5

/** Entries for 256 device ids. */
const TABLE_BYTES = 0x2000
const ENTRY_BYTES = 32

/** Bits of device address that so many levels translate. */
export const widthOf = (levels: number): number => Math.min(64, 12 + 9 * levels)

/** The level of a page's leaf: that of the largest size of a level that is not above it. */
export const levelOf = (shift: number): number => 1 + Math.floor((shift - 12) / 9)
const isLevelSize = (shift: number): boolean => (shift - 12) % 9 === 0

/** A leaf that holds its size: ones from bit 12 up to below the bit that is half of it. */
const SIZED = 7n
const sizeOnes = (shift: number): bigint => (1n << BigInt(shift - 1)) - 0x1000n

/** The words of a plan, in frames from `first` on. */
export const build = ({ source, levels, way, pages }: AmdPlan, first = FIRST_FRAME): Built => {
  const ground = createGround(first)
  const [devices, tables] = [ground.take(TABLE_BYTES), ground.take()]
  ground.put(devices + BigInt(source * ENTRY_BYTES), deviceTableEntry, {
    V: 1, TV: 1, Mode: levels, HostPTRoot: tables, IR: 1, IW: 1, DomainID: DOMAIN_ID,
  }, way.device)
  plant(ground, tables, pages, {
    levels, pageShift: 12, indexBits: 9, layout: amdV1Entry,
    table: (level, ADDR) => ({ PR: 1, IR: 1, IW: 1, NextLevel: level - 1, ADDR }),
    leaf: ({ shift, target }) => ({
      PR: 1, IR: 1, IW: 1, FC: 1, ...(isLevelSize(shift) ? { ADDR: target } : { NextLevel: SIZED, ADDR: target | sizeOnes(shift) }),
    }),
    copies: ({ shift }) => 2 ** ((shift - 12) % 9),
  })
  const register = tweaked(deviceTableBase, { Base: devices, Size: TABLE_BYTES / 4096 - 1 }, way.table)[0] as bigint
  return { frames: ground.frames, register, tables }
}
