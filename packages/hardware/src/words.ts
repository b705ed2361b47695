// The words of simulated memory: one flat array, or an array of chunks that appear as they are written.
import { FRAME_BYTES } from './address.js'

/** Frames per chunk, log2: 256 frames, 1 MiB, so that the largest table (16 of 64 KiB side by side) lies in one. */
const CHUNK_SHIFT = 8
const CHUNK_FRAMES = 1 << CHUNK_SHIFT
const FRAME_WORDS = FRAME_BYTES / 4
/** Word positions in one array are 32-bit integers that `position` must not overflow. */
const FLAT_FRAMES = 1 << 19

/** Read where nothing has been written; never written itself. */
const zeros = new Int32Array(CHUNK_FRAMES * FRAME_WORDS)

/**
 * 32-bit words by frame. A frame lies in one array: `reading` or `writing` finds it, `position` says where in it.
 * Both answer an array always, so that a load is one path without a branch to join: V8 then keeps what is loaded
 * in registers where a branch would send it through memory.
 */
export class Words {
  /** Frames of memory, from 0 on. */
  readonly frames: number
  readonly flat: Int32Array | undefined
  private readonly frameMask: number
  private readonly chunks: (Int32Array | undefined)[] = []

  /** `flat`: one array for all of memory. Throws RangeError for more than 2 GiB of it. */
  constructor(frames: number, flat: boolean) {
    if (flat && frames > FLAT_FRAMES) throw new RangeError(`${frames} frames of flat memory; ${FLAT_FRAMES} are the most`)
    this.frames = frames
    this.flat = flat ? new Int32Array(frames * FRAME_WORDS) : undefined
    this.frameMask = flat ? -1 : CHUNK_FRAMES - 1
  }

  /** The array that holds the frame, to be read only. Throws RangeError where that is not memory. */
  reading(frame: number): Int32Array {
    if (frame >= this.frames) this.refuse(frame)
    return this.flat ?? this.chunks[frame >>> CHUNK_SHIFT] ?? zeros
  }

  /** The array that holds the frame, to be written. Throws RangeError where that is not memory. */
  writing(frame: number): Int32Array {
    if (frame >= this.frames) this.refuse(frame)
    return this.flat ?? (this.chunks[frame >>> CHUNK_SHIFT] ??= new Int32Array(CHUNK_FRAMES * FRAME_WORDS))
  }

  /** Where the lower half of a 64-bit word of the frame lies in its array; the upper half is next. */
  position(frame: number, index: number): number {
    // Literals: constants of a bundled module are variables to V8, which then loads and checks them each time.
    return ((frame & this.frameMask) << 10) + (index << 1)
  }

  private refuse(frame: number): never {
    throw new RangeError(`frame 0x${frame.toString(16)} is not memory`)
  }
}
