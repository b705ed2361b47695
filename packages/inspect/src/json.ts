// Reads JSON and says where it is broken: line and column, and members that are there twice.
import { InputError, quoted } from './input-error.js'

/** A value of JSON. Objects are maps, so that no name is special. */
export type Json = null | boolean | number | string | readonly Json[] | ReadonlyMap<string, Json>

/** Deeper than any file of ours, and far from the end of the stack. */
const DEEPEST = 64
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y
const WORDS: readonly (readonly [word: string, value: null | boolean])[] = [
  ['true', true],
  ['false', false],
  ['null', null],
]

class Scanner {
  private at = 0
  private depth = 0
  private readonly file: string
  private readonly text: string

  constructor(file: string, text: string) {
    this.file = file
    this.text = text.startsWith('\ufeff') ? text.slice(1) : text
  }

  document(): Json {
    const value = this.value('a JSON value')
    this.skip()
    if (this.at < this.text.length) this.fail('the end of the file')
    return value
  }

  private fail(expected: string, at = this.at): never {
    const before = this.text.slice(0, at).split('\n')
    const rest = this.text.slice(at, at + 20).split('\n')[0] as string
    throw new InputError({
      file: this.file,
      place: `line ${before.length}, column ${(before[before.length - 1] as string).length + 1}`,
      expected,
      found: at >= this.text.length ? 'the end of the file' : quoted(rest),
    })
  }

  private skip(): void {
    while (this.at < this.text.length && ' \t\r\n'.includes(this.text[this.at] as string)) this.at++
  }

  /** Takes a character if it comes next. */
  private take(character: string): boolean {
    this.skip()
    if (this.text[this.at] !== character) return false
    this.at++
    return true
  }

  private value(expected: string): Json {
    this.skip()
    const next = this.text[this.at]
    if (next === '{' || next === '[') {
      if (++this.depth > DEEPEST) this.fail(`at most ${DEEPEST} levels`)
      const inside = next === '{' ? this.object() : this.list()
      this.depth--
      return inside
    }
    if (next === '"') return this.string()
    const word = WORDS.find(([each]) => this.text.startsWith(each, this.at))
    if (word !== undefined) {
      this.at += word[0].length
      return word[1]
    }
    NUMBER.lastIndex = this.at
    const number = NUMBER.exec(this.text)
    if (number === null) this.fail(expected)
    this.at += number[0].length
    return Number(number[0])
  }

  private object(): ReadonlyMap<string, Json> {
    this.at++
    const members = new Map<string, Json>()
    if (this.take('}')) return members
    do {
      this.skip()
      const start = this.at
      if (this.text[start] !== '"') this.fail('a member name in quotes')
      const name = this.string()
      if (members.has(name)) this.fail(`${quoted(name)} only once`, start)
      if (!this.take(':')) this.fail('a colon')
      members.set(name, this.value('a value'))
    } while (this.take(','))
    if (!this.take('}')) this.fail('a comma or }')
    return members
  }

  private list(): readonly Json[] {
    this.at++
    const values: Json[] = []
    if (this.take(']')) return values
    do values.push(this.value('a value'))
    while (this.take(','))
    if (!this.take(']')) this.fail('a comma or ]')
    return values
  }

  private string(): string {
    const start = this.at
    for (this.at++; this.text[this.at] !== '"'; this.at++) {
      if (this.at >= this.text.length || this.text.charCodeAt(this.at) < 0x20) this.fail('a closing quote')
      if (this.text[this.at] === '\\') this.at++
    }
    this.at++
    try {
      // The slice is one string literal: only its escapes can still be wrong.
      return JSON.parse(this.text.slice(start, this.at)) as string
    } catch {
      return this.fail('a string whose escapes are right', start)
    }
  }
}

/** Throws InputError with line and column. `file` is the name that messages use. */
export const readJson = (file: string, text: string): Json => new Scanner(file, text).document()
