// Rendering: the three views, and that colour is the caller's.
import { expect, test } from 'vitest'
import { address, bit, describe as describeEntry, entry, field, renderBits, renderBlock, renderLine } from '../src/index.js'

const sample = entry('x.sample', { title: 'Sample entry', bits: 64, section: 'x:1', confirmedBy: ['spec'], reserved: [[63, 24]] }, {
  P: bit(0, 'Present'),
  Q: bit(1, 'Quiet', { confirmedBy: [] }),
  Mode: field(3, 2, 'Mode', { 1: 'fast' }),
  N: field(11, 4, 'Number'),
  ADDR: address(23, 12, 'Address'),
})

test('one line', () => {
  expect(renderLine(describeEntry(sample, [0x5015n]))).toBe('P+ Q- Mode=fast N=1 ADDR=0x5000')
})

test('one line shouts at an unknown value and at reserved bits', () => {
  expect(renderLine(describeEntry(sample, [0x8000_0000_0000_000cn]))).toBe('P- Q- Mode=3!unknown N=0 ADDR=0x0 !reserved[63:24]=0x8000000000')
})

test('the block marks what nothing outside confirms', () => {
  expect(renderBlock(describeEntry(sample, [0x5015n]))).toBe([
    'Sample entry · 64 bits  x:1',
    '      0  P     1       Present',
    '      1  Q     0       Quiet  ? unconfirmed',
    '    3:2  Mode  1       fast (Mode)',
    '   11:4  N     1       Number',
    '  23:12  ADDR  0x5000  Address',
    'reserved  all zero',
  ].join('\n'))
})

test('the bits', () => {
  expect(renderBits(describeEntry(sample, [0x5015n])).split('\n').slice(0, 4)).toEqual([
    'Sample entry',
    '   63:0  0000_0000_0000_5015',
    '         00000000 00000000 00000000 00000000 00000000 00000000 01010000 00010101',
    '           23:12  ADDR 0x5000',
  ])
})

test('colour is the caller\'s, by what a text stands for', () => {
  expect(renderLine(describeEntry(sample, [0xdn]), (role, text) => `<${role} ${text}>`))
    .toBe('<set P+> <clear Q-> Mode=<wrong 3!unknown> N=<clear 0> ADDR=<address 0x0>')
})
