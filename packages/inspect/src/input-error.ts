// InputError: what was wrong with something that a person handed in, and where.

/** Where it went wrong, and what was expected there. */
export interface InputFault {
  /** The file's name, or what stands for it: "the arguments". */
  readonly file: string
  /** A path into it, a line, an offset, the number of a word. */
  readonly place: string
  readonly expected: string
  readonly found: string
}

/** One sentence from a person's point of view. Everything that reads input throws this and nothing else. */
export class InputError extends Error implements InputFault {
  override readonly name = 'InputError'
  readonly file: string
  readonly place: string
  readonly expected: string
  readonly found: string

  constructor({ file, place, expected, found }: InputFault) {
    super(`${file}, ${place}: expected ${expected}, found ${found}`)
    this.file = file
    this.place = place
    this.expected = expected
    this.found = found
  }
}

/** A source lacks memory that a table leads to: what lies there, and beyond it, is not known. */
export class MissingMemoryError extends InputError {
  /** The first physical address that is missing. */
  readonly address: bigint

  constructor(address: bigint, fault: InputFault) {
    super(fault)
    this.address = address
  }
}

/** A value as it is shown in a message: quoted, cut where it is long, and without what a terminal would obey. */
export const quoted = (text: string): string => {
  const flat = text.replace(/\s+/g, ' ').replace(/\p{Cc}/gu, '?')
  return `"${flat.length > 40 ? `${flat.slice(0, 37)}...` : flat}"`
}
