// Events: every step of a driver at which hardware may look, for observers.

/** A store that has just been made. `before` and `after` are 64-bit words (one 32-bit word for 4 bytes). */
export interface StoreEvent {
  readonly kind: 'store'
  readonly address: bigint
  readonly bytes: 4 | 8 | 16
  readonly before: readonly bigint[]
  readonly after: readonly bigint[]
}

export interface OrderEvent { readonly kind: 'order' }
export interface WriteBackEvent { readonly kind: 'write-back'; readonly address: bigint; readonly bytes: number }
export interface AllocateEvent { readonly kind: 'allocate' | 'free'; readonly frame: number; readonly count: number }
export interface RegisterEvent {
  readonly kind: 'register'
  readonly offset: number
  readonly bits: 32 | 64
  readonly value: bigint
  /** Whose register it is, where several units share a memory and its events. */
  readonly unit?: number
}

/** A command that hardware took from its queue: the words as queued, and one line for people. */
export interface CommandEvent {
  readonly kind: 'command'
  readonly name: string
  readonly words: readonly bigint[]
  readonly text: string
  /** The source whose device TLB it addresses, for a command that does. */
  readonly deviceTlb?: number
  /** Whose command it is, where several units share a memory and its events. */
  readonly unit?: number
}

/** A feature of an endpoint was switched. */
export interface ConfigEvent {
  readonly kind: 'config'
  readonly source: number
  readonly feature: 'pasid' | 'ats' | 'pri'
  readonly on: boolean
}

export type HardwareEvent =
  | StoreEvent | OrderEvent | WriteBackEvent | AllocateEvent | RegisterEvent | CommandEvent | ConfigEvent

export type Observer = (event: HardwareEvent) => void

/** A list of observers that is null while nobody listens, so that an unobserved store pays one comparison. */
export interface EventStream {
  readonly listeners: readonly Observer[] | null
  observe(observer: Observer): () => void
  emit(event: HardwareEvent): void
}

export const createEventStream = (): EventStream => {
  // A plain member: behind a getter the comparison costs as much as the store.
  const stream: { -readonly [Member in keyof EventStream]: EventStream[Member] } = {
    listeners: null,
    observe(observer) {
      stream.listeners = [...(stream.listeners ?? []), observer]
      return () => {
        const left = (stream.listeners ?? []).filter((each) => each !== observer)
        stream.listeners = left.length === 0 ? null : left
      }
    },
    emit(event) {
      for (const listener of stream.listeners ?? []) listener(event)
    },
  }
  return stream
}

/** The stream as one of several units emits into it: its commands and registers carry its number. */
export const eventsOfUnit = (events: EventStream, unit: number | undefined): EventStream => (unit === undefined ? events : {
  get listeners() { return events.listeners },
  observe: (observer) => events.observe(observer),
  emit: (event) => events.emit(event.kind === 'command' || event.kind === 'register' ? { ...event, unit } : event),
})
