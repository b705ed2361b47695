// Sources of one recorded machine in several forms, and the questions that each form must answer alike.
import { existsSync, readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import { expect } from 'vitest'
import { fileURLToPath } from 'node:url'
import { json } from './command.js'

export const DUMPED = 'intel-7.3.4dbg-legacy-edu-vfio'
export const PASIDS = 'intel-7.3.4dbg-scalable-pasid-secondstage-pasid'

export const fixture = (path: string): string => fileURLToPath(new URL(`../../inspect/test/fixtures/${path}`, import.meta.url))

export const AMD = fixture('printed/amd-7.3.4dbg-v1-mixed-identity')

const truthOf = (folder: string): string => existsSync(`${folder}/truth.txt.gz`)
  ? gunzipSync(readFileSync(`${folder}/truth.txt.gz`)).toString('utf8') : readFileSync(`${folder}/truth.txt`, 'utf8')

/** The debugfs part of what the recorded kernel said, file by file. */
export const debugfsFiles = (folder: string, vendor: 'intel' | 'amd'): { readonly name: string; readonly text: string }[] =>
  truthOf(folder).split(/^### /m).flatMap((section) => {
    const end = section.indexOf('\n')
    const name = section.slice(0, end)
    const isAmd = vendor === 'amd' && name === 'amd debugfs per device'
    return isAmd || name.startsWith(`/sys/kernel/debug/iommu/${vendor}/`) ? [{ name, text: section.slice(end + 1) }] : []
  })

export const debugfsOf = (folder: string, vendor: 'intel' | 'amd'): string => debugfsFiles(folder, vendor).map(({ text }) => text).join('\n')

export interface Question {
  readonly rid: string
  readonly iovas: readonly string[]
  readonly pasid?: string
}

interface Answers {
  readonly devices: readonly { readonly bdf: string; readonly requesterId: string }[]
  readonly [member: string]: unknown
}

/** What inspect and walk say of a machine. */
const answersOf = async (source: readonly string[], rids: readonly string[], questions: readonly Question[], input: string): Promise<unknown> => {
  const { devices, mode, rootTable, platform } = await json(['inspect', ...source, ...rids.flatMap((rid) => ['--rid', rid])], input) as Answers
  const walks = []
  for (const { rid, iovas, pasid } of questions) {
    for (const access of [[], ['--write']]) {
      walks.push((await json([
        'walk', ...source, '--rid', rid, ...iovas.flatMap((iova) => ['--iova', iova]), ...(pasid === undefined ? [] : ['--pasid', pasid]), ...access,
      ], input))['results'])
    }
  }
  return { devices, mode, rootTable, platform, walks }
}

const SHORT = (bdf: string): string => bdf.replace(/^0000:/, '')
/** What differs where a text leaves out where a table lies: the steps, and the words about them. */
const UNPRINTED = new Set(['why', 'steps'])
const plain = (answers: unknown, whole: boolean): unknown => JSON.parse(JSON.stringify(answers, (name, value: unknown) =>
  (!whole && UNPRINTED.has(name) ? undefined : name === 'bdf' ? SHORT(value as string) : value)))

/** Holds a source's answers to those of the recording; `whole`: every step and every address of a table too. */
export const sameAnswers = async (
  recording: string, source: readonly string[], questions: readonly Question[], { input = '', whole = true }: { input?: string; whole?: boolean } = {},
): Promise<void> => {
  const { devices } = await json(['inspect', recording]) as unknown as Answers
  const rids = devices.map(({ bdf }) => SHORT(bdf))
  expect(rids.length).toBeGreaterThan(7)
  const expected = plain(await answersOf([recording], rids, questions, ''), whole)
  expect(plain(await answersOf(source, rids, questions, input), whole)).toEqual(expected)
}

export const QUESTIONS: Readonly<Record<string, readonly Question[]>> = {
  [DUMPED]: [
    { rid: '00:04.0', iovas: ['0x102008', '0x40212340', '0x7f00001abc', '0x200000', '0x300000', '0xdead000', '0xffffffffffff'] },
    { rid: '00:02.0', iovas: ['0xfffff000', '0x1000'] },
    { rid: '00:1f.0', iovas: ['0x1000', '0xfff000', '0x1000000'] },
  ],
  [PASIDS]: [
    { rid: '00:02.0', iovas: ['0xfffff000', '0x1000'] },
    { rid: '00:02.0', iovas: ['0x10000010', '0x10001000'], pasid: '1' },
    { rid: '00:02.0', iovas: ['0x10300010'], pasid: '1000' },
  ],
}
