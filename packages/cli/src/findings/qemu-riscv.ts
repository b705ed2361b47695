// What QEMU's RISC-V IOMMU does otherwise than the specification says: each seen on QEMU, beside the model in the same state.
import type { Finding } from './finding.js'

const SUBJECT = 'QEMU, riscv-iommu'
const SOURCE = 'QEMU 11.1'
const TARGETS = ['riscv-first-stage', 'riscv-second-stage', 'riscv-both-stages', 'riscv-base'] as const

export const qemuRiscvFindings: readonly Finding[] = [
  {
    id: 'qemu-riscv-one-page',
    title: 'IOTINVAL with an address in a large leaf forgets 4 KiB of it on QEMU',
    subject: SUBJECT,
    statement: 'C-UNMAP-02',
    source: SOURCE,
    happens: ['IOTINVAL with AV=1 names everything that came of the leaf in which the address lies. QEMU keeps 4 KiB at a time, and forgets the one 4 KiB that is named: the rest of an unmapped leaf of 64 KiB, 2 MiB or 1 GiB goes on translating.'],
    matters: 'A device goes on writing to memory that was unmapped, and may be somebody else\'s by then.',
    fix: 'Keep the size of the leaf with the translation, and compare with it.',
    proof: { by: 'suite', driver: 'driver-riscv', board: 'riscv', deviation: 'riscv-iotinval-one-page', statement: 'C-UNMAP-02' },
  },
  {
    id: 'qemu-riscv-unchecked',
    title: 'QEMU\'s RISC-V IOMMU does not look at much that the specification has checked',
    subject: SUBJECT,
    statement: 'RISC-V IOMMU: reserved bits and settings without their capability make a context programmed wrongly, and an entry a page fault',
    source: SOURCE,
    happens: [
      'Reserved bits of device contexts in ta, in fsc and beyond, bits 11:3 of process contexts, RCID and MCID without QOSID, GADE or SADE of a stage that is bare, and an MSI page table without a second stage are taken as if they were not there. So are A, D, U and N in entries that point to tables, and U of first-stage leaves where a request has a PASID.',
      'PBMT is taken for address bits although Svpbmt is not offered. Bits 60:59, which are software\'s where Svrsw60t59b is offered as it is here, are a page fault.',
    ],
    matters: 'A driver that writes garbage is found on hardware, and not on QEMU, where it is tested; and one that uses the bits that it was given faults.',
    fix: 'Check what the specification says is checked, and nothing that a capability frees.',
    proof: { by: 'agreement', targets: TARGETS, deviations: [
      'riscv-context-unchecked-bits', 'riscv-context-unchecked-fields', 'riscv-update-of-no-stage', 'riscv-interrupts-of-no-guest',
      'riscv-process-unchecked-bits', 'riscv-pointer-flags', 'riscv-user-with-pid', 'riscv-leaf-memory-type', 'riscv-pointer-memory-type',
      'riscv-guest-pointer-memory-type', 'riscv-software-bits',
    ] },
  },
  {
    id: 'qemu-riscv-records',
    title: 'Fault records of QEMU\'s RISC-V IOMMU have other causes and fields',
    subject: SUBJECT,
    statement: 'RISC-V IOMMU: causes, and the fields of fault records',
    source: SOURCE,
    happens: [
      'iotval2 holds the device address after a fault of the first stage, nothing where a guest address is too wide, a guest address after an access fault, and bit 0 of it is never set. A request without PASID that DPE makes one of PASID 0 is recorded with PASID 0 where a stage refuses it. Modes that are not known, and a process context that the second stage refuses, have other causes than the specification\'s; a PASID that is not allowed is refused before a stage that is programmed wrongly is found.',
      'Taken here for a deviation without a text that settles it: what is asked about a write through the debug interface, and refused before the stages, is recorded as a read.',
    ],
    matters: 'What a guest logs of a fault is not what happened, and who handles guest page faults by iotval2 handles a wrong address.',
    fix: 'Fill records from the walk, where the fault was met.',
    proof: { by: 'agreement', targets: TARGETS, deviations: [
      'riscv-iotval2', 'riscv-iotval2-implicit', 'riscv-iotval2-unreadable', 'riscv-guest-address-too-wide', 'riscv-default-pid',
      'riscv-first-stage-mode', 'riscv-second-stage-mode', 'riscv-process-directory-mode', 'riscv-process-context-unreachable', 'riscv-pid-first',
      'riscv-question-as-read',
    ] },
  },
  {
    id: 'qemu-riscv-cached-permissions',
    title: 'QEMU\'s RISC-V IOMMU judges by a cached translation without its fault, or not at all',
    subject: SUBJECT,
    statement: 'RISC-V IOMMU: a cached translation permits what its leaf permits, and what it does not permit is recorded',
    source: SOURCE,
    happens: ['After a read has cached a page, a write that the page forbids is blocked and not recorded; a write to a page whose D is 0 is granted; and what is asked about a write through the debug interface is answered as if the page were writable.'],
    matters: 'Page faults are lost, and a page that is clean by its D has been written to.',
    fix: 'Walk again where the cached translation does not permit the access, and keep D with it.',
    proof: { by: 'agreement', targets: TARGETS, deviations: ['riscv-kept-no-fault', 'riscv-kept-dirty', 'riscv-question-kept-permissions'] },
  },
  {
    id: 'qemu-riscv-response-base',
    title: 'The debug interface of QEMU\'s RISC-V IOMMU names the beginning of a large page',
    subject: SUBJECT,
    statement: 'RISC-V IOMMU: TR_RESPONSE has the page that was asked for, or with S the size of the leaf',
    source: SOURCE,
    happens: ['TR_RESPONSE of an address in a leaf above 4 KiB holds the first page of the leaf, and S is 0: it says that the 4 KiB asked for are the first 4 KiB of the leaf.'],
    matters: 'Whoever checks a mapping by it finds a wrong physical address.',
    fix: 'Answer the page that was asked for, or set S and code the size.',
    proof: { by: 'agreement', targets: TARGETS, deviations: ['riscv-response-base'] },
  },
]
