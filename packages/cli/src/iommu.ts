#!/usr/bin/env node
// The iommu command: connects `run` to the process.
import { Console } from 'node:console'
import { EXIT } from './io.js'
import type { Io } from './io.js'
import { run } from './run.js'

const { stdout, stderr, stdin, env } = process

/** What a driver prints to find its bugs is talk: standard output is for the answer alone. */
globalThis.console = new Console(stderr)

let ended = false

/** A reader that has seen enough (`| head`) is no error; a disk that is full is. */
const closed = ({ code, message }: NodeJS.ErrnoException): void => {
  ended = true
  if (code === 'EPIPE') process.exit(process.exitCode ?? EXIT.fine)
  stderr.write(`iommu: the answer could not be written: ${message}\n`)
  process.exit(EXIT.environment)
}
stdout.on('error', closed)
stderr.on('error', closed)

/** A driver that ends the process, or waits for what never comes, is no answer, and no success. */
process.on('exit', () => {
  if (ended) return
  stderr.write('iommu: ended before its answer was there\n')
  process.exitCode = EXIT.environment
})

const readAll = async (): Promise<string> => {
  const pieces: Buffer[] = []
  for await (const piece of stdin) pieces.push(piece as Buffer)
  return Buffer.concat(pieces).toString('utf8')
}

const wantsColour = (): boolean => {
  if (env['NO_COLOR'] !== undefined && env['NO_COLOR'] !== '') return false
  if (env['FORCE_COLOR'] !== undefined && env['FORCE_COLOR'] !== '0') return true
  return stdout.isTTY === true && env['TERM'] !== 'dumb'
}

const io: Io = {
  stdout: (text) => void stdout.write(text),
  stderr: (text) => void stderr.write(text),
  stdin: readAll,
  stdinPieces: () => stdin.setEncoding('utf8'),
  isTTY: stdout.isTTY === true,
  stderrIsTTY: stderr.isTTY === true,
  columns: Math.max(40, stdout.columns ?? 80),
  colour: wantsColour(),
}

process.exitCode = await run(process.argv.slice(2), io)
ended = true
