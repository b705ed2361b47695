// Asks another program every vector: one JSON line in, one out; and says where its answers differ.
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { createInterface } from 'node:readline'
import { EnvironmentError } from './io.js'
import { judgeTransition } from './transition-check.js'
import type { Difference } from './transition-check.js'
import type { Vector } from './vector-files.js'

/** The program was silent for too long, or it answered something that is no answer. */
class AnswerError extends Error {
  override readonly name = 'InputError'
}

export interface Checked {
  readonly id: string
  readonly status: 'equal' | 'different' | 'unsupported'
  /** The first member that differs, with both values. */
  readonly difference?: Difference
}

const HEX = /^0x[0-9a-f]+$/i

/** Numbers are compared as numbers, however they are spelt. */
const plain = (value: unknown): unknown =>
  (typeof value === 'number' ? `0x${value.toString(16)}` : typeof value === 'string' && HEX.test(value) ? `0x${BigInt(value).toString(16)}` : value)

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> => typeof value === 'object' && value !== null

/** Members that the answer has and the vector has not are the answerer's business. */
const firstDifference = (expected: unknown, found: unknown, member: string): Checked['difference'] => {
  if (!isObject(expected)) return plain(expected) === plain(found) ? undefined : { member, expected, found }
  if (!isObject(found) || Array.isArray(expected) !== Array.isArray(found)) return { member, expected, found }
  if (Array.isArray(expected) && Array.isArray(found) && expected.length !== found.length) return { member, expected, found }
  for (const [name, value] of Object.entries(expected)) {
    const difference = firstDifference(value, found[name], member === '' ? name : `${member}.${name}`)
    if (difference !== undefined) return difference
  }
  return undefined
}

/** Transitions have many right answers: they are replayed. All others are compared member by member. */
const differenceOf = ({ kind, given, result }: Vector, answer: unknown): Difference | undefined => (kind === 'transition'
  ? judgeTransition(given as Parameters<typeof judgeTransition>[0], result as { readonly hitless: boolean }, answer)
  : firstDifference(result, answer, ''))

const judge = (vector: Vector, answer: Readonly<Record<string, unknown>>): Checked => {
  const { id } = vector
  if (answer['unsupported'] === true) return { id, status: 'unsupported' }
  const difference = differenceOf(vector, answer['result'])
  return difference === undefined ? { id, status: 'equal' } : { id, status: 'different', difference }
}

const readAnswer = (line: string, ids: ReadonlySet<string>): Readonly<Record<string, unknown>> & { readonly id: string } => {
  let answer: unknown
  try {
    answer = JSON.parse(line)
  } catch {
    throw new AnswerError(`the program's line is no JSON: ${line.slice(0, 200)}`)
  }
  if (!isObject(answer) || typeof answer['id'] !== 'string' || !ids.has(answer['id'])) {
    throw new AnswerError(`the program's line has no "id" of a vector that was asked: ${line.slice(0, 200)}`)
  }
  return answer as Readonly<Record<string, unknown>> & { readonly id: string }
}

const endGroup = ({ pid }: ChildProcess): void => {
  if (pid === undefined) return
  try {
    process.kill(-pid)
  } catch {
    // It has ended by itself.
  }
}

/** What ends the command does not reach a group of its own. */
const ENDS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/**
 * Runs the command in a shell and asks it all vectors. Answers may come in any order. Throws AnswerError where it is silent
 * for `silence` milliseconds, ends early or answers no JSON, EnvironmentError where it cannot be started.
 */
export const checkProgram = (command: string, vectors: readonly Vector[], silence: number): Promise<Checked[]> =>
  new Promise((resolve, reject) => {
    const open = new Map(vectors.map((each) => [each.id, each]))
    const ids = new Set(open.keys())
    const checked = new Map<string, Checked>()
    // A process group of its own: the shell is not the program, and both have to end.
    const child = spawn(command, { shell: true, detached: true, stdio: ['pipe', 'pipe', 'inherit'] })
    let timer: NodeJS.Timeout | undefined
    const stopped = (signal: NodeJS.Signals): void => {
      endGroup(child)
      process.kill(process.pid, signal)
    }
    for (const signal of ENDS) process.once(signal, stopped)
    const finish = (does: () => void): void => {
      clearTimeout(timer)
      for (const signal of ENDS) process.off(signal, stopped)
      endGroup(child)
      does()
    }
    const listen = (): void => {
      clearTimeout(timer)
      timer = setTimeout(() => finish(() => reject(new AnswerError(
        `the program has been silent for ${silence / 1000} s; ${open.size} of ${vectors.length} vectors are not answered`,
      ))), silence)
    }
    child.on('error', (error) => finish(() => reject(new EnvironmentError(`the program does not start: ${error.message}`))))
    // What is written after its end is lost; that it ended is told below.
    child.stdin.on('error', () => undefined)
    createInterface({ input: child.stdout })
      .on('line', (line) => {
        listen()
        try {
          const answer = readAnswer(line, ids)
          const vector = open.get(answer.id)
          if (vector === undefined) return
          open.delete(answer.id)
          checked.set(answer.id, judge(vector, answer))
        } catch (error) {
          finish(() => reject(error as Error))
          return
        }
        if (open.size === 0) finish(() => resolve(vectors.map(({ id }) => checked.get(id) as Checked)))
      })
      .on('close', () => {
        if (open.size > 0) finish(() => reject(new AnswerError(`the program ended with ${open.size} of ${vectors.length} vectors not answered`)))
      })
    listen()
    for (const { id, kind, given } of vectors) child.stdin.write(`${JSON.stringify({ id, kind, given })}\n`)
    child.stdin.end()
  })
