// What lists of deviations are made of, whatever the vendor.
import type { Fields } from './plan.js'
import type { Answer, Seen } from './subject.js'

/** The code of the fault that was recorded; undefined where none was. */
export const codeOf = ({ answer: { records: [record] } }: Pick<Seen<unknown>, 'answer'>): number | undefined => record?.code

/** The answer with another code in its records. */
export const withCode = (answer: Answer, code: number): Answer => ({ ...answer, records: answer.records.map((each) => ({ ...each, code })) })

/** The answer with other values in fields of its records. */
export const withFields = (answer: Answer, fields: Fields): Answer =>
  ({ ...answer, records: answer.records.map((each) => ({ ...each, fields: { ...each.fields, ...fields } })) })

/** Blocked, and nothing is said of it. */
export const SILENCE: Answer = { where: 'blocked', records: [] }
