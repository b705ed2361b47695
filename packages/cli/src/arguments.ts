// Arguments of a verb: node's parser, with sentences of our own.
import { parseArgs } from 'node:util'
import type { ParseArgsConfig } from 'node:util'
import { UsageError } from './io.js'

type Options = NonNullable<ParseArgsConfig['options']>
type Read<O extends Options> = ReturnType<
  typeof parseArgs<{ args: string[]; options: O; allowPositionals: true; strict: true }>
>

/** The value of an option that is a number of 32 bits; `otherwise` where it is absent. Throws UsageError. */
export const readNumber = (name: string, text: string | undefined, otherwise: number, least = 0): number => {
  if (text === undefined) return otherwise
  const value = Number(text)
  if (!/^\d+$/.test(text) || value < least || value > 0xffff_ffff) {
    throw new UsageError(`--${name} ${text}: expected a whole number${least > 0 ? `, ${least} or more` : ''}`)
  }
  return value
}

/** Options and the arguments besides them. Throws UsageError. */
export const readArguments = <const O extends Options>(args: string[], options: O): Read<O> => {
  try {
    return parseArgs({ args, options, allowPositionals: true, strict: true })
  } catch (error) {
    const { code, message } = error as { code?: string; message: string }
    if (code?.startsWith('ERR_PARSE_ARGS') !== true) throw error
    const [sentence] = message.split(/\. (?:To specify|Did you)|\n/) as [string]
    throw new UsageError(sentence.replace(/\.$/, '').replace(/^./, (letter) => letter.toLowerCase()))
  }
}
