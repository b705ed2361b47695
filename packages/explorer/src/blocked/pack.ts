// What a person handed in, as one short text for the link: deflated, in the alphabet of addresses.
import { CAPTURE_NAMES, readCapture, readPrinted, withDevicesOfTables } from '@iommu/inspect'
import type { Capture, CaptureFiles } from '@iommu/inspect'

/** The four files of a capture, or text of debugfs. */
export type Handed =
  | { readonly name: string; readonly files: Pick<CaptureFiles, 'meta' | 'registers' | 'tables' | 'bytes'> }
  | { readonly name: string; readonly text: string }

const through = async (bytes: Uint8Array, stream: CompressionStream | DecompressionStream): Promise<Uint8Array> =>
  new Uint8Array(await new Response(new Blob([bytes as Uint8Array<ArrayBuffer>]).stream().pipeThrough(stream)).arrayBuffer())

const STRIDE = 0x8000
const toText = (bytes: Uint8Array): string => {
  let text = ''
  for (let at = 0; at < bytes.length; at += STRIDE) text += String.fromCharCode(...bytes.subarray(at, at + STRIDE))
  return btoa(text).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')
}
const toBytes = (text: string): Uint8Array =>
  Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (letter) => letter.charCodeAt(0))

/** A JSON of what is text, a line end, and the bytes. */
export const pack = async (handed: Handed): Promise<string> => {
  const { bytes = new Uint8Array(), ...texts } = 'text' in handed ? { text: handed.text } : handed.files
  const start = new TextEncoder().encode(`${JSON.stringify({ name: handed.name, ...texts })}\n`)
  const whole = new Uint8Array(start.length + bytes.length)
  whole.set(start)
  whole.set(bytes, start.length)
  return toText(await through(whole, new CompressionStream('deflate-raw')))
}

/** Throws an Error for a text that `pack` did not make. */
export const unpack = async (text: string): Promise<Handed> => {
  try {
    const whole = await through(toBytes(text), new DecompressionStream('deflate-raw'))
    const end = whole.indexOf(10)
    const head = JSON.parse(new TextDecoder().decode(whole.subarray(0, end))) as Record<'name' | 'text' | 'meta' | 'registers' | 'tables', string>
    const { name, meta, registers, tables } = head
    return 'text' in head ? { name, text: head.text } : { name, files: { meta, registers, tables, bytes: whole.slice(end + 1) } }
  } catch {
    throw new Error('the link, its tables: expected what this page writes there, found something else; was the link cut?')
  }
}

/** Throws InputError. */
export const captureOf = async (handed: Handed): Promise<Capture> =>
  ('text' in handed ? withDevicesOfTables(await readPrinted(handed.text, handed.name)) : readCapture({ ...handed.files, names: CAPTURE_NAMES }))
