// Rings: queues in memory with a head and a tail, as byte offsets that wrap.

/** A ring of `entries` entries of `entryBytes` bytes. Full is one entry short of the head. */
export interface Ring {
  readonly entries: number
  readonly entryBytes: number
  readonly bytes: number
  next(offset: number): number
  /** Entries from head to tail. */
  used(head: number, tail: number): number
  /** Entries that can be added before it is full. */
  room(head: number, tail: number): number
}

export const createRing = (entries: number, entryBytes: number): Ring => {
  const bytes = entries * entryBytes
  const used = (head: number, tail: number): number => ((tail - head + bytes) % bytes) / entryBytes
  return {
    entries,
    entryBytes,
    bytes,
    next: (offset) => (offset + entryBytes) % bytes,
    used,
    room: (head, tail) => entries - 1 - used(head, tail),
  }
}
