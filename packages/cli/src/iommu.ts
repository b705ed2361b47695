#!/usr/bin/env node
// The iommu command: connects `run` to the process.
import type { Io } from './io.js'
import { run } from './run.js'

const { stdout, stderr, stdin, env } = process

/** A reader that has seen enough (`| head`) is no error. */
const closed = (error: NodeJS.ErrnoException): void => {
  if (error.code !== 'EPIPE') throw error
  process.exit(process.exitCode ?? 0)
}
stdout.on('error', closed)
stderr.on('error', closed)

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
