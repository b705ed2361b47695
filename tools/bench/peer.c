// The peer: what a plain, iterative C library does for the same tables. `peer OPERATION` prints "ns checksum".
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { DONE, IN_USE, NO_MEMORY, INVALID };
enum { PAGES = 1 << 18, WINDOW = 1 << 13, RUN = 511, SOURCES = 256, SLOTS = 4096, LIVE = 1024, ROUNDS = 16 };
enum { WALKS = 1 << 15, FAR_PAGES = 1 << 24, LEAVES = 64, NEAR_FRAMES = 1024, FAR_FRAMES = FAR_PAGES / 512 + 1024 };
#define FRAME 4096ull
#define ADDRESS 0x000ffffffffff000ull
#define PRESENT 3ull // R and W: a second-stage entry of VT-d, in tables and leaves alike
#define LARGE 0x80ull
#define RESERVED 0x0000c00000000000ull
#define LIBRARY __attribute__((noinline)) static // called, as a library is

static uint64_t *memory, next_frame, root;
static uint64_t *words(uint64_t address) { return memory + (address & ADDRESS) / 8; }

static uint64_t allocate(void) {
  uint64_t address = next_frame++ * FRAME;
  return memset(words(address), 0, FRAME), address;
}

LIBRARY int map(uint64_t iova, uint64_t physical, uint64_t count) {
  if (((iova | physical) & (FRAME - 1)) || count == 0 || iova >> 48 || physical >> 46) return INVALID;
  while (count > 0) {
    uint64_t *table = words(root);
    for (int shift = 39; shift > 12; shift -= 9) {
      uint64_t *entry = table + (iova >> shift & 511);
      if (!(*entry & PRESENT)) *entry = allocate() | PRESENT;
      else if (*entry & LARGE) return IN_USE;
      table = words(*entry);
    }
    uint64_t first = iova >> 12 & 511, run = count < 512 - first ? count : 512 - first;
    for (uint64_t i = first; i < first + run; i++) if (table[i] & PRESENT) return IN_USE;
    for (uint64_t i = first; i < first + run; i++, physical += FRAME) table[i] = physical | PRESENT;
    iova += run * FRAME;
    count -= run;
  }
  return DONE;
}

// One page of 1 GiB, an entry of level 3.
LIBRARY int map_leaf(uint64_t iova, uint64_t physical) {
  if (((iova | physical) & ((1 << 30) - 1)) || iova >> 48 || physical >> 46) return INVALID;
  uint64_t *entry = words(root) + (iova >> 39 & 511);
  if (!(*entry & PRESENT)) *entry = allocate() | PRESENT;
  entry = words(*entry) + (iova >> 30 & 511);
  if (*entry & PRESENT) return IN_USE;
  return *entry = physical | LARGE | PRESENT, DONE;
}

LIBRARY uint64_t unmap(uint64_t iova, uint64_t count) {
  uint64_t removed = 0;
  while (removed < count) {
    uint64_t *table = words(root);
    for (int shift = 39; shift > 12; shift -= 9) {
      uint64_t entry = table[iova >> shift & 511];
      if (!(entry & PRESENT) || (entry & LARGE)) return removed;
      table = words(entry);
    }
    uint64_t first = iova >> 12 & 511, room = count - removed < 512 - first ? count - removed : 512 - first, run = 0;
    while (run < room && (table[first + run] & PRESENT)) run++;
    for (uint64_t i = first; i < first + run; i++) table[i] = 0;
    removed += run;
    iova += run * FRAME;
    if (run < room) return removed;
  }
  return removed;
}

struct walked { int level; uint64_t entry, physical, granted; };

LIBRARY int walk(uint64_t from, uint64_t iova, struct walked *into) {
  uint64_t *table = words(from), granted = ~0ull;
  for (int level = 4, shift = 39;; level--, shift -= 9) {
    uint64_t entry = table[iova >> shift & 511], offset = (1ull << shift) - 1;
    into->level = level;
    into->entry = entry;
    if (!(entry & PRESENT)) return 1;
    if (entry & RESERVED) return 2;
    granted &= entry;
    if (level == 1 || (entry & LARGE)) {
      into->physical = (entry & ADDRESS & ~offset) | (iova & offset);
      into->granted = granted & PRESENT;
      return 0;
    }
    table = words(entry);
  }
}

// What happens to a DMA of a source: root entry, context entry, walk, permission.
LIBRARY uint64_t translate(uint64_t roots, uint32_t source, uint64_t iova, uint64_t access) {
  uint64_t *bus = words(roots) + (source >> 8) * 2;
  if (!(bus[0] & 1)) return ~0ull;
  uint64_t *context = words(bus[0]) + (source & 255) * 2;
  if (!(context[0] & 1) || (context[0] >> 2 & 3) || (context[1] & 7) != 2) return ~0ull;
  struct walked found;
  if (walk(context[0], iova, &found) || !(found.granted & access)) return ~0ull;
  return found.physical;
}

static struct { uint64_t key, physical; } slots[SLOTS];
static uint64_t slot_of(uint64_t key) { return key * 0x9e3779b97f4a7c15ull >> 52; }

static void keep(uint64_t domain, uint64_t frame, uint64_t physical) {
  uint64_t key = domain << 52 | frame, at = slot_of(key);
  while (slots[at].key && slots[at].key != key) at = (at + 1) % SLOTS;
  slots[at].key = key, slots[at].physical = physical;
}

LIBRARY uint64_t lookup(uint64_t domain, uint64_t frame) {
  uint64_t key = domain << 52 | frame;
  for (uint64_t at = slot_of(key); slots[at].key; at = (at + 1) % SLOTS) if (slots[at].key == key) return slots[at].physical;
  return 0;
}

// A DMA that the IOTLB answers: root entry, context entry, lookup.
LIBRARY uint64_t translate_hit(uint64_t roots, uint32_t source, uint64_t domain, uint64_t iova) {
  uint64_t *bus = words(roots) + (source >> 8) * 2;
  if (!(bus[0] & 1)) return ~0ull;
  uint64_t *context = words(bus[0]) + (source & 255) * 2;
  if (!(context[0] & 1) || (context[0] >> 2 & 3) || (context[1] & 7) != 2) return ~0ull;
  return lookup(domain, iova >> 12) | (iova & (FRAME - 1));
}

// The order in which pages are touched, the same on both sides: a shuffle by a linear congruence.
// Single pages in a window of 32 MiB, so that the 64-bit addresses that a caller in JavaScript keeps do not push
// the tables out of the caches.
static uint32_t order[PAGES], window[WINDOW];
static void shuffle(void) {
  uint32_t seed = 1;
  for (uint32_t i = 0; i < PAGES; i++) order[i] = i;
  for (uint32_t i = PAGES - 1; i > 0; i--) {
    seed = seed * 1664525u + 1013904223u;
    uint32_t other = (seed >> 8) % (i + 1), kept = order[i];
    order[i] = order[other], order[other] = kept;
  }
  for (uint32_t i = 0, found = 0; i < PAGES; i++) if (order[i] < WINDOW) window[found++] = order[i];
}

static uint32_t checksum(void) {
  uint32_t sum = 0;
  for (uint64_t i = 0; i < next_frame * 512; i++) sum = sum * 31 + (uint32_t)memory[i] + (uint32_t)(memory[i] >> 32) * 7;
  return sum;
}

static void start_over(void) { next_frame = 0, root = allocate(); }
static double now(void) { struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t); return t.tv_sec * 1e9 + t.tv_nsec; }

// Does it for every page, and takes the best of slices that fit between two interruptions; the whole does not count.
#define SLICED(each) do { \
  units = WALKS; \
  for (uint32_t start = 0; start < PAGES; start += WALKS) { \
    from = now(); \
    for (uint32_t i = start; i < start + WALKS; i++) each; \
    from = now() - from; \
    if (from < best) best = from; \
  } \
  from = -1e30; \
} while (0)

int main(int count, char **words_given) {
  const char *op = count > 1 ? words_given[1] : "";
  int far = !strcmp(op, "walk far");
  memory = aligned_alloc(FRAME, (far ? FAR_FRAMES : NEAR_FRAMES) * FRAME);
  memset(memory, 0, (far ? FAR_FRAMES : NEAR_FRAMES) * FRAME);
  shuffle();
  start_over();
  map(0, 0, PAGES);
  uint64_t roots = allocate(), contexts = allocate();
  words(roots)[0] = contexts | 1;
  for (int i = 0; i < SOURCES; i++) words(contexts)[i * 2] = root | 1, words(contexts)[i * 2 + 1] = 1 << 8 | 2;
  if (far) map(PAGES * FRAME, PAGES * FRAME, FAR_PAGES - PAGES);
  for (uint32_t i = 0; i < LIVE; i++) keep(1 + i % 4, order[i], i * FRAME);
  struct walked found;
  double best = 1e18, from = 0, units = PAGES;
  uint32_t sum = 0, far_page = 0;
  for (int round = 0; round < ROUNDS; round++) {
    sum = 0;
    if (!strcmp(op, "map one")) {
      for (uint32_t i = 0; i < WINDOW; i++) unmap(i * FRAME, 1);
      from = now();
      for (uint32_t i = 0; i < WINDOW; i++) map(window[i] * FRAME, window[i] * FRAME, 1);
      units = WINDOW;
    } else if (!strcmp(op, "unmap one")) {
      for (uint32_t i = 0; i < WINDOW; i++) map(i * FRAME, i * FRAME, 1);
      from = now();
      for (uint32_t i = 0; i < WINDOW; i++) sum += unmap(window[i] * FRAME, 1);
      units = WINDOW;
    } else if (!strcmp(op, "map run")) {
      for (uint32_t i = 0; i < PAGES; i += 512) unmap(i * FRAME, RUN);
      from = now();
      for (uint32_t i = 0; i < PAGES; i += 512) map(i * FRAME, i * FRAME, RUN);
      units = PAGES / 512 * RUN;
    } else if (!strcmp(op, "unmap run")) {
      for (uint32_t i = 0; i < PAGES; i += 512) map(i * FRAME, i * FRAME, RUN);
      from = now();
      for (uint32_t i = 0; i < PAGES; i += 512) sum += unmap(i * FRAME, RUN);
      units = PAGES / 512 * RUN;
    } else if (!strcmp(op, "map fresh")) {
      start_over();
      from = now();
      for (uint32_t i = 0; i < PAGES; i += 512) map(i * FRAME, i * FRAME, 512);
    } else if (!strcmp(op, "walk")) {
      SLICED(sum += walk(root, order[i] * FRAME + 8, &found) + found.physical);
    } else if (!strcmp(op, "walk in order")) {
      SLICED(sum += walk(root, i * FRAME + 8, &found) + found.physical);
    } else if (!strcmp(op, "walk chain")) {
      SLICED((walk(root, sum * FRAME, &found), sum = ((uint32_t)(found.physical >> 12) * 1664525u + 1013904223u) & (PAGES - 1)));
    } else if (far) {
      SLICED((walk(root, far_page * FRAME, &found), far_page = (far_page * 1664525u + 1013904223u) & (FAR_PAGES - 1)));
    } else if (!strcmp(op, "map leaf")) {
      start_over();
      map_leaf((LEAVES - 1ull) << 30, 0);
      from = now();
      for (uint64_t i = 0; i < LEAVES - 1; i++) map_leaf(i << 30, i << 30);
      units = LEAVES - 1;
    } else if (!strcmp(op, "iova to phys")) {
      from = now();
      for (uint32_t i = 0; i < WINDOW; i++) sum += walk(root, window[i] * FRAME, &found) == 0;
      units = WINDOW;
    } else if (!strcmp(op, "translate")) {
      SLICED(sum += translate(roots, i % SOURCES, order[i] * FRAME + 8, 2));
    } else if (!strcmp(op, "translate hit")) {
      SLICED(sum += translate_hit(roots, i % SOURCES, 1 + i % LIVE % 4, order[i % LIVE] * FRAME + 8));
    } else if (!strcmp(op, "lookup")) {
      SLICED(sum += lookup(1 + i % LIVE % 4, order[i % LIVE]));
    } else {
      fprintf(stderr, "no operation %s\n", op);
      return 2;
    }
    double spent = now() - from;
    if (spent < best) best = spent;
  }
  printf("%.4f %u\n", best / units, sum + checksum());
  return 0;
}
