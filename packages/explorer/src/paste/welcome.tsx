// What is here, for those who have nothing to paste.
const PLACES = [
  {
    href: '#play', title: 'Watch a domain change',
    says: 'A device\'s domain is replaced by another. Every store to its tables, every command, and what its DMA may meet after each, on VT-d, AMD-Vi, SMMUv3 and RISC-V.',
  },
  {
    href: '#blocked', title: 'Ask why a DMA is blocked',
    says: 'Tables that a real Linux wrote, or your own: follow one DMA from the root table to memory, or to the entry that stops it.',
  },
  {
    href: '#classify', title: 'See what detach really did',
    says: 'Twenty drivers of 2022, each run on a model of its hardware: blocked, identity, or something nobody had guessed.',
  },
]

export const Welcome = () => (
  <section class="welcome" aria-label="also here">
    {PLACES.map(({ href, title, says }) => (
      <a key={href} href={href}><b>{title}</b><span>{says}</span></a>
    ))}
  </section>
)
