// play: a film of one domain change: every store and command, and what each DMA could meet after it.
import type { Backend, DriverVariant } from '@iommu/conformance'
import { play, renderFilm } from '@iommu/film'
import { InputError, nearest } from '@iommu/inspect'
import { readArguments } from '../arguments.js'
import { loadDriver } from '../driver-modules.js'
import { EXIT, printJson, printLines, UsageError } from '../io.js'
import type { Verb } from '../io.js'
import { painter, wrap } from '../text.js'

const usage = `
iommu play <driver> --from STATE --to STATE [--pasid N] [--on BACKEND]
           [--variant ID] [--ats] [--json]

A domain is replaced by another, on a fresh machine: every store with the fields
that it changes, every command, and after each what DMA could meet, whatever
caches have kept.

  --from --to  blocked, identity, sva, paging, or one of the driver's formats
  --pasid      on this PASID; on the requester id without it
  --on         the kind of hardware, as iommu drivers lists them, or a part of
               its name; the first without it
  --variant    with a variant of the driver, broken in one way: an id that
               iommu conform --mutants lists
  --ats        the device has ATS, and it is on

Exit code 1 where something met what the contract forbids.
`

const bad = (place: string, found: string, known: readonly string[]): InputError => {
  const near = nearest(found, known)
  return new InputError({
    file: 'the arguments', place, found: `"${found}"`,
    expected: near === undefined ? `one of ${known.join(', ')}` : `a known one (did you mean ${near}?)`,
  })
}

const backendNamed = (backends: readonly Backend[], name: string | undefined): Backend => {
  const found = name === undefined ? backends[0]
    : backends.find(({ backend }) => backend === name) ?? backends.find(({ backend }) => backend.includes(name))
  if (found === undefined) throw bad('--on', name ?? '', backends.map(({ backend }) => backend))
  return found
}

const variantNamed = (variants: readonly DriverVariant[], id: string | undefined): DriverVariant | undefined => {
  const found = variants.find((each) => each.id === id)
  if (id !== undefined && found === undefined) throw bad('--variant', id, variants.map((each) => each.id))
  return found
}

const pasidOf = (text: string | undefined): number | undefined => {
  if (text === undefined) return undefined
  const value = /^(0x[0-9a-f]+|\d+)$/i.test(text) ? Number(text) : NaN
  if (value > 0 && value < 0x100000) return value
  throw new InputError({ file: 'the arguments', place: '--pasid', expected: 'a number from 1 to 0xfffff', found: `"${text}"` })
}

export const verb: Verb = {
  name: 'play',
  summary: 'a domain change as a film: stores, commands, what DMA meets',
  usage,
  async run(args, io) {
    const { values, positionals: [name, ...more] } = readArguments(args, {
      from: { type: 'string' }, to: { type: 'string' }, pasid: { type: 'string' }, on: { type: 'string' },
      variant: { type: 'string' }, ats: { type: 'boolean' }, json: { type: 'boolean' },
    })
    const { from, to } = values
    if (name === undefined || from === undefined || to === undefined || more.length > 0) {
      throw new UsageError('expected a driver and two states, as in: iommu play driver-arm-smmuv3 --from identity --to paging')
    }
    const { backends, variants } = await loadDriver(name)
    const variant = variantNamed(variants, values.variant)
    const backend = backendNamed(backends, values.on ?? variant?.on?.[0])
    const pasid = pasidOf(values.pasid)
    const film = await play(backend, {
      from, to, ats: values.ats === true,
      ...(pasid === undefined ? {} : { pasid }),
      ...(variant === undefined ? {} : { createDriver: variant.createDriver, ...(variant.adversary && { adversary: variant.adversary }) }),
    }).catch((error: unknown) => {
      if (error instanceof RangeError) throw new UsageError(error.message)
      throw error
    })
    if (values.json === true) printJson(io, film)
    else printLines(io, renderFilm(film, painter(io)).flatMap((line) => wrap(line, io.columns, 14)))
    return film.held === false ? EXIT.no : EXIT.fine
  },
}
