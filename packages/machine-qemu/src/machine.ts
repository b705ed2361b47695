// A machine that is QEMU: RAM, registers and devices of an emulated board, synchronously.
//
//   driver ── memory ──────▶ RAM file ◀───── shared ─────┐
//          └─ registers ───▶ qtest pipe ──▶ IOMMU in QEMU ┴─ walks tables, answers
//   test   ── dma ─────────▶ qtest pipe ──▶ NVMe in QEMU ──▶ DMA through the IOMMU
import { closeSync, openSync } from 'node:fs'
import { createEndpoints, createEventStream, POLL_BUDGET } from '@iommu/hardware'
import type { DmaRequest, EndpointCapabilities, FailureDoors, Outcome, Registers, TestMachine } from '@iommu/hardware'
import type { Board, PasidQuestions, RecordedFault } from './boards/board.js'
import { createDmaDevice, DEVICE_WINDOW, deviceArguments } from './dma-device.js'
import type { DmaDevice } from './dma-device.js'
import { QemuError, startProcess } from './emulator.js'
import type { Process } from './emulator.js'
import { boardLack, factsOf } from './facts.js'
import { ofWholeDma } from './halves.js'
import { findInstallation, HOW_TO_GET, REFERENCE_SERIES } from './installations.js'
import type { Installation } from './installations.js'
import { addressOf, carried, createLandmarks, serialValue } from './landmarks.js'
import type { Landmarks } from './landmarks.js'
import { placeFunction, readConfig } from './pci.js'
import { createQmp } from './qmp.js'
import { createQtest } from './qtest.js'
import type { Qtest } from './qtest.js'
import { RamFile } from './ram.js'
import { unavailable } from './unavailable.js'

/** Requester ids of the devices of a board where the caller names none. */
export const DEVICES: readonly number[] = [0x20, 0x21, 0x22, 0x28]

export interface QemuOptions {
  readonly board: Board
  /** The newest of the reference series where absent. */
  readonly installation?: Installation
  readonly devices?: readonly number[]
}

/** A running board. One machine at a time stands on it: `machine()` resets it, and the one before is no more. */
export interface Qemu {
  readonly board: Board
  readonly installation: Installation
  readonly pid: number
  /**
   * The board as it is when it is switched on: registers reset, devices placed, no table page in use. `endpoints`: which
   * requester ids offer PASIDs, where the IOMMU can be asked about them; every device of the board where absent.
   */
  machine(endpoints?: Endpoints): QemuMachine
  /** What QEMU has written to its standard error. */
  log(): string
  stop(): void
}

/** A machine whose answers are those of QEMU. What it has no door for throws UnavailableError. */
export interface QemuMachine extends TestMachine {
  readonly memory: RamFile
  /** What the IOMMU had recorded when the last DMA was over; its log is read where a DMA was blocked. */
  readonly recorded: readonly RecordedFault[]
  /** 32 bits of a function's configuration space; all ones where there is no function. */
  readConfig(source: number, register: number): number
}

const doors = (ram: RamFile): FailureDoors => ({
  allocation: (n) => ram.pages.failAt(n),
  completions: (how) => how === 'prompt' ? undefined : unavailable('QEMU completes every command at once'),
  queueError: (n) => n === undefined ? undefined : unavailable('QEMU refuses no command that is well formed'),
  deviceTlb: (_source, how) => how === 'answers' ? undefined : unavailable('no device of QEMU here has a device TLB'),
})

/** What all machines of one process share. */
interface Wiring {
  readonly board: Board
  readonly pasids: PasidQuestions | undefined
  readonly qtest: Qtest
  readonly ram: RamFile
  readonly landmarks: Landmarks
  readonly devices: ReadonlyMap<number, DmaDevice>
  nextSerial(): bigint
}

const registerWindow = ({ board, qtest, ram }: Wiring, check: () => void): Registers => {
  const at = (offset: number): bigint => {
    check()
    return board.registers + BigInt(offset)
  }
  const wrote = (offset: number, bits: 32 | 64, value: bigint): void => {
    if (ram.events.listeners !== null) ram.events.emit({ kind: 'register', offset, bits, value })
  }
  return {
    read32: (offset) => qtest.read32(at(offset)),
    read64: (offset) => qtest.read64(at(offset)),
    write32(offset, value) {
      qtest.write32(at(offset), value)
      wrote(offset, 32, BigInt(value >>> 0))
    },
    write64(offset, value) {
      qtest.write64(at(offset), value)
      wrote(offset, 64, value)
    },
    poll(read, done, budget = POLL_BUDGET) {
      let value = read()
      for (let reads = 1; !done(value) && reads < budget; reads++) value = read()
      return { done: done(value), value }
    },
  }
}

/** Where a DMA went, by what it read or where what it wrote was found; undefined: nowhere. */
const locate = ({ ram, landmarks, devices, nextSerial }: Wiring, { source, access, address }: DmaRequest): bigint | undefined => {
  const device = devices.get(source) ?? unavailable(`the board has no device with requester id 0x${source.toString(16)}`)
  const aligned = address & ~7n
  const places = landmarks.prepare(aligned, ram.named)
  if (access === 'read') {
    const found = addressOf(device.read(aligned))
    return found === undefined ? undefined : found + (address & 7n)
  }
  const value = serialValue(nextSerial())
  device.write(aligned, value)
  const found = places.find((place) => carried(ram.load64(place)) === carried(value))
  if (found === undefined) return undefined
  landmarks.restore(found)
  return found + (address & 7n)
}

type Endpoints = ReadonlyMap<number, EndpointCapabilities>

/** An NVMe controller of QEMU's offers neither PASIDs nor ATS; where the IOMMU is asked in its place, it is as if it did. */
const offered = (pasids: PasidQuestions | undefined, devices: Iterable<number>, asked?: Endpoints): Endpoints => (pasids === undefined ? new Map()
  : new Map([...devices].flatMap((source) => {
    const { pasidWidth } = asked === undefined ? { pasidWidth: pasids.bits } : asked.get(source) ?? {}
    return pasidWidth === undefined ? [] : [[source, { pasidWidth: Math.min(pasidWidth, pasids.bits) }] as const]
  })))

const createMachine = (wiring: Wiring, endpoints: Endpoints | undefined, isCurrent: () => boolean): QemuMachine => {
  const { board, ram, pasids } = wiring
  const check = (): void => {
    if (!isCurrent()) throw new QemuError('the board has been reset for another machine: this one is no more')
  }
  const registers = registerWindow(wiring, check)
  let recorded: readonly RecordedFault[] = []
  const askWithPasid = (request: DmaRequest): bigint | undefined =>
    (pasids ?? unavailable('no device of QEMU sends PASIDs')).translate(registers, request)
  const dma = (request: DmaRequest): Outcome => {
    check()
    const { kind, pasid, access } = request
    if (kind !== 'untranslated') unavailable('no device of QEMU here does ATS')
    const address = pasid === undefined ? locate(wiring, request) : askWithPasid(request)
    recorded = address === undefined ? ofWholeDma(board.readFaults({ registers, memory: ram })) : []
    if (address === undefined) {
      const fault = recorded.findLast(({ source }) => source === request.source)
      return { result: 'blocked', ...(fault === undefined ? {} : { fault }) }
    }
    return {
      result: 'translated', address, tag: 'not visible', attributes: {},
      // What was tried was granted; nothing is known of the other access, or of what lies around.
      permissions: { read: access === 'read', write: access === 'write' }, pageSize: 8n,
    }
  }
  return {
    memory: ram,
    registers,
    endpoint: createEndpoints(offered(pasids, wiring.devices.keys(), endpoints), ram.events),
    call(operation) {
      throw new RangeError(`${board.name} has no instruction ${operation}`)
    },
    dma,
    // Real hardware gives the one answer that it gives, and has done the DMA then.
    outcomes: (request) => [dma(request)],
    walk: () => unavailable('QEMU does not show its walks'),
    observe: (observer) => ram.events.observe(observer),
    fail: doors(ram),
    get recorded() { return recorded },
    readConfig: (source, register) => readConfig(wiring.qtest, board.config, source, register),
  }
}

const argumentsOf = (board: Board, devices: readonly number[], folder: string, boardArguments: readonly string[]): readonly string[] => [
  '-nodefaults', '-no-user-config', '-display', 'none',
  ...boardArguments,
  '-m', `${board.ramBytes >> 20n}M`,
  '-object', `memory-backend-file,id=ram,mem-path=${folder}/ram,size=${board.ramBytes},share=on`,
  // QEMU 7.2 insists on this name of the character device.
  '-chardev', `pipe,id=qtest,path=${folder}/qtest`, '-qtest', 'chardev:qtest', '-qtest-log', 'none',
  '-chardev', `pipe,id=qmp,path=${folder}/qmp`, '-mon', 'chardev=qmp,mode=control',
  ...devices.flatMap((source) => deviceArguments(source >> 3, source & 7)),
]

/** The installation that a board is started from where none is named. Throws QemuError with how to get one. */
export const requireInstallation = (): Installation =>
  findInstallation() ?? (() => { throw new QemuError(`there is no QEMU ${REFERENCE_SERIES} or later: ${HOW_TO_GET}`) })()

/** Starts a board. Throws QemuError where this QEMU cannot be it, or does not start. */
export const startQemu = ({ board, installation = requireInstallation(), devices = DEVICES }: QemuOptions): Qemu => {
  const lack = boardLack(board, installation)
  if (lack !== undefined) throw new QemuError(lack)
  const facts = factsOf(installation, board.emulator)
  const running: Process = startProcess({
    installation, emulator: board.emulator, ramBytes: board.ramBytes,
    args: (folder) => argumentsOf(board, devices, folder, board.arguments(facts, folder)),
  })
  const qtest = createQtest(running.qtest)
  const qmp = createQmp(running.qmp)
  const found = new Map(devices.map((source, index) => [source, createDmaDevice(qtest, board.windows + BigInt(index) * DEVICE_WINDOW)]))
  const place = [
    ...(board.registersOf === undefined ? [] : placeFunction(board.config, board.registersOf, board.registers)),
    ...[...found].flatMap(([source, { registers, buffer }]) => placeFunction(board.config, source, registers, buffer)),
  ]
  let serial = 0n
  let current = 0
  const handle = openSync(running.ramFile, 'r+')
  const { pageNumberBit } = board
  const newRam = (): RamFile => new RamFile({
    handle, ranges: board.ram, tables: board.tables, events: createEventStream(), ...(pageNumberBit === undefined ? {} : { pageNumberBit }),
  })
  const landmarks = createLandmarks(newRam(), board)
  return {
    board,
    installation,
    pid: running.pid,
    machine(endpoints) {
      const own = ++current
      if (own > 1) qmp.reset()
      qtest.batch(place)
      for (const device of found.values()) device.forget()
      const wiring: Wiring = { board, pasids: board.pasids?.(facts), qtest, ram: newRam(), landmarks, devices: found, nextSerial: () => serial++ }
      return createMachine(wiring, endpoints, () => own === current)
    },
    log: running.log,
    stop() {
      closeSync(handle)
      running.stop()
    },
  }
}
