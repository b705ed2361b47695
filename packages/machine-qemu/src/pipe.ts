// A pair of pipes to QEMU: lines out, lines in, blocking; an end of QEMU is an error and not a hang.
import { execFileSync } from 'node:child_process'
import { closeSync, constants, openSync, readSync, writeSync } from 'node:fs'

const CHUNK = 1 << 16
/** How long QEMU may take to say something for the first time. */
const START_MILLISECONDS = 20_000

const clock = new Int32Array(new SharedArrayBuffer(4))
const sleep = (milliseconds: number): void => void Atomics.wait(clock, 0, 0, milliseconds)

/** A pipe whose other side is QEMU. */
export interface LinePipe {
  write(text: string): void
  /** The next line. Calls `died` where QEMU is gone; that must throw. */
  readLine(): string
  close(): void
}

/** What a pipe asks of the process at its other side. */
export interface Peer {
  alive(): boolean
  /** Throws, with what QEMU said last. */
  died(): never
}

/** Makes the two FIFOs that QEMU's pipe chardev opens as PATH.in and PATH.out. */
export const makePipes = (...paths: readonly string[]): void => {
  execFileSync('mkfifo', paths.flatMap((path) => [`${path}.in`, `${path}.out`]))
}

/** Opens a reading end before QEMU is there: it must not block, since QEMU may refuse its command line. */
export const openEarly = (path: string): number => openSync(`${path}.out`, constants.O_RDONLY | constants.O_NONBLOCK)

/**
 * Waits until QEMU answers `hello`, or greets by itself where there is none, and then reads blocking. `early` is from
 * `openEarly`. From then on this side holds no writing end of QEMU's output: when QEMU dies a read ends.
 */
export const connect = (path: string, early: number, peer: Peer, hello?: string): LinePipe => {
  const input = openSync(`${path}.in`, 'r+')
  const bytes = Buffer.alloc(CHUNK)
  let pending = ''
  if (hello !== undefined) writeSync(input, hello)
  for (let waited = 0; pending === ''; waited++) {
    try {
      const count = readSync(early, bytes, 0, CHUNK, null)
      pending = bytes.toString('latin1', 0, count)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error
    }
    if (pending !== '') break
    if (!peer.alive() || waited > START_MILLISECONDS) peer.died()
    sleep(1)
  }
  const output = openSync(`${path}.out`, constants.O_RDONLY)
  closeSync(early)
  return {
    write: (text) => void writeSync(input, text),
    readLine() {
      for (;;) {
        const end = pending.indexOf('\n')
        if (end >= 0) {
          const line = pending.slice(0, end)
          pending = pending.slice(end + 1)
          return line
        }
        const count = readSync(output, bytes, 0, CHUNK, null)
        if (count === 0) peer.died()
        pending += bytes.toString('latin1', 0, count)
      }
    },
    close() {
      closeSync(input)
      closeSync(output)
    },
  }
}
