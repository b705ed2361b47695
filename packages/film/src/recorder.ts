// The recorder: what a case of the suite asks of a core layer and a driver, in order, with the answers and with what hardware saw.
import { createCore as wholeCore } from '@iommu/core'
import type { Core } from '@iommu/core'
import type { Backend, Call, CreateCore } from '@iommu/conformance'
import { addressesOf, traceOps } from '@iommu/conformance/bench'
import { describeStep } from '@iommu/hardware'
import type { DmaRequest, FailureDoors, HardwareEvent, Outcome, TestMachine } from '@iommu/hardware'
import { hex } from '@iommu/inspect'
import { answerText, callText, createLabels, isDomain, outcomeText, refusalText, requestText, sourceText } from './spoken.js'
import type { Label } from './spoken.js'

/** One thing that happens in a case. `case`: what it does by itself, the making of its machine; `process`: what a CPU does to shared tables. */
export interface Moment {
  readonly kind: 'case' | 'core' | 'call' | 'process' | 'dma' | 'failure'
  readonly text: string
  /** What came of it; empty where nothing does. */
  answer: string
  /** What hardware saw from then on, until the next moment. */
  readonly events: string[]
  /** The core layer's moment that it is a part of. */
  readonly within: Moment | undefined
}

/** A bench of a case, and everything that was done on it. */
export interface Recorded {
  readonly machine: TestMachine
  readonly moments: Moment[]
  /** DMA that the case asked about, in order. */
  readonly requests: DmaRequest[]
  /** Where domains were set, as DMA to what was mapped last: for cases that ask for no DMA. */
  readonly points: Map<string, DmaRequest>
  readonly label: Label
}

/** Who looks on while the case runs. */
export interface Onlooker {
  begins(bench: number, moment: number): void
  sees(bench: number, event: HardwareEvent): void
}

export interface Recorder {
  readonly benches: readonly Recorded[]
  backend(backend: Backend): Backend
  core(createCore: CreateCore | undefined): CreateCore
}

const eventKey = (event: HardwareEvent): string =>
  `${event.kind} ${describeStep(event)}${event.kind === 'store' ? ` ${event.after.join(' ')}` : ''}`

/** Sentences of what is made to fail, and of what no longer is. */
const failuresTold = (doors: FailureDoors, tell: (text: string) => void): FailureDoors => {
  const set = new Set<string>()
  const say = (what: string, now: string | undefined, otherwise: string): void => {
    if (now !== undefined) set.add(what)
    else if (!set.delete(what)) return
    tell(now ?? otherwise)
  }
  return {
    get injected() { return doors.injected ?? 0 },
    allocation(n) {
      say('memory', n === undefined ? undefined : `table allocation ${n} from now finds no memory`, 'there is memory for tables again')
      doors.allocation(n)
    },
    completions(state) {
      say('completions', state === 'never' ? 'completions never come' : undefined, 'completions come again')
      doors.completions(state)
    },
    queueError(n) {
      say('queue', n === undefined ? undefined : `command ${n} from now is refused as malformed`, 'no command is refused any more')
      doors.queueError(n)
    },
    deviceTlb(source, state) {
      const who = sourceText(source)
      say(who, state === 'answers' ? undefined : `${who} does not answer invalidations of its TLB`, `${who} answers invalidations of its TLB again`)
      doors.deviceTlb(source, state)
    },
  }
}

/** Remembers where a domain is set, and what is mapped: `attachDev` and `setDevPasid` name a point, `mapPages` an address. */
const remember = ({ points }: Recorded, { op, device, pasid, args: [first] }: Call, mapped: bigint): bigint => {
  if (op === 'mapPages' && typeof first === 'bigint') return first
  if ((op === 'attachDev' || op === 'setDevPasid') && device !== undefined) {
    points.set(`${device.requesterId} ${pasid ?? ''}`, {
      source: device.requesterId, kind: 'untranslated', address: mapped, access: 'read', ...(pasid === undefined ? {} : { pasid }),
    })
  }
  return mapped
}

/** Wraps a backend and a core layer so that what a case does with them is known. */
export const createRecorder = (onlooker?: Onlooker): Recorder => {
  const benches: Recorded[] = []
  /** Calls that run: looks from inside of one are not the case's next step, and frames show what they see. */
  let running = 0
  /** The core layer's call that runs; of calls that it makes of itself the outermost. */
  let core: Moment | undefined

  /** What the driver has just made. */
  let made: string | undefined

  const begin = (kind: Moment['kind'], text: string, answer = ''): Moment => {
    const moment: Moment = { kind, text, answer, events: [], within: core }
    const count = benches.at(-1)?.moments.push(moment) ?? 0
    onlooker?.begins(benches.length - 1, count - 1)
    return moment
  }
  const lookedAt = (request: DmaRequest, outcomes: readonly Outcome[]): void => {
    benches.at(-1)?.requests.push(request)
    if (running === 0) begin('dma', requestText(request), [...new Set(outcomes.map(outcomeText))].join(' or '))
  }
  const looks = (machine: TestMachine): TestMachine => Object.create(machine, {
    dma: {
      value: (request: DmaRequest) => {
        const outcome = machine.dma(request)
        lookedAt(request, [outcome])
        return outcome
      },
    },
    outcomes: {
      value: (request: DmaRequest) => {
        const outcomes = machine.outcomes(request)
        lookedAt(request, outcomes)
        return outcomes
      },
    },
    fail: { value: failuresTold(machine.fail, (text) => void begin('failure', text)) },
  }) as TestMachine

  return {
    benches,
    backend: (backend) => {
    const { createAddressSpace } = backend
    return {
      ...backend,
      createMachine(setup) {
        const machine = backend.createMachine(setup)
        if (setup.unit === 0) {
          benches.push({ machine, moments: [], requests: [], points: new Map(), label: createLabels() })
          begin('case', 'a machine and a driver')
        }
        // Units that share their memory share their events.
        if (setup.first?.memory !== machine.memory) {
          const at = benches.length - 1
          machine.observe((event) => {
            benches[at]?.moments.at(-1)?.events.push(eventKey(event))
            onlooker?.sees(at, event)
          })
        }
        return looks(machine)
      },
      createDriver(machines, setup) {
        const bench = benches.at(-1) as Recorded
        const { label } = bench
        const trace = traceOps(backend.createDriver(machines, setup))
        let moment: Moment | undefined
        let mapped = addressesOf(backend).mapped[0]
        trace.during((call) => {
          const { op, domain, args } = call
          running++
          mapped = remember(bench, call, mapped)
          moment = begin('call', callText(domain === undefined ? 'driver' : label(domain), op, args, label))
        })
        trace.ended(({ op, outcome, result }) => {
          running--
          if (isDomain(result)) made = label(result)
          const refused = outcome === 'threw' ? 'threw' : `refused: ${outcome}`
          if (moment !== undefined) moment.answer = outcome === 'ok' ? answerText(op, result, label) : refused
        })
        return trace.ops
      },
      ...(createAddressSpace === undefined ? {} : {
        createAddressSpace(machine: TestMachine, name: string) {
          const { space, map, unmap, end } = createAddressSpace(machine, name)
          return {
            space,
            map(address: bigint, physical: bigint) {
              begin('process', `${name} maps ${hex(address)} to ${hex(physical)}`)
              map(address, physical)
            },
            unmap(address: bigint) {
              begin('process', `${name} unmaps ${hex(address)}`)
              unmap(address)
            },
            end() {
              begin('process', `${name} ends`)
              end()
            },
          }
        },
      }),
    }
    },
    core: (createCore = wholeCore) => (ops, options) => {
      const label = createLabels()
      const recorded = <T extends object>(of: string, whole: T): T => Object.create(whole, Object.fromEntries(
        Object.entries(whole).flatMap(([op, method]: [string, unknown]) => (typeof method !== 'function' ? [] : [[op, {
          enumerable: true,
          value: (...args: unknown[]) => {
            const moment = begin('core', callText(of, op, args, label))
            const outer = core
            core ??= moment
            made = undefined
            try {
              const result: unknown = method.apply(whole, args)
              // The case has the domain from another trace; it is the one that the driver has just made.
              if (isDomain(result)) label(result, made)
              moment.answer = answerText(op, result, label)
              return op === 'dma' && typeof result === 'object' && result !== null ? recorded('core.dma', result) : result
            } catch (error) {
              moment.answer = refusalText(error)
              throw error
            } finally {
              core = outer
            }
          },
        }] as const])),
      )) as T
      return recorded<Core>('core', createCore(ops, options))
    },
  }
}
