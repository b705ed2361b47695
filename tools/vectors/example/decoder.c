/*
 * An example of a program that `iommu vectors --check` can ask: a decoder of two VT-d entries in C, and changes of PASID
 * entries by the one order that is always legal.
 *
 *   cc -O2 -o decoder decoder.c
 *   iommu vectors --vendor vtd --kind decode --kind transition --check ./decoder
 *
 * It reads one JSON object a line and answers each with one line. What it does not know it says it does not support.
 * The scanning below is enough for these lines, whose shape is fixed; a real program would use a JSON library.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_WORDS 8

struct field {
	const char *name;
	unsigned high, low;	/* absolute bits, as the manual prints them */
	bool address;		/* the value keeps its place: a byte address */
};

/* Intel VT-d, context entry of legacy mode. */
static const struct field context[] = {
	{ "P", 0, 0 }, { "FPD", 1, 1 }, { "TT", 3, 2 }, { "SSPTPTR", 63, 12, true },
	{ "AW", 66, 64 }, { "DID", 87, 72 }, { 0 },
};

/* Intel VT-d, root entry of legacy mode. */
static const struct field root[] = { { "P", 0, 0 }, { "CTP", 63, 12, true }, { 0 } };

struct range { unsigned high, low; };
static const struct range context_reserved[] = { { 11, 4 }, { 71, 71 }, { 127, 88 }, { 0 } };
static const struct range root_reserved[] = { { 11, 1 }, { 127, 64 }, { 0 } };

static const struct entry {
	const char *name;
	unsigned words;
	const struct field *fields;
	const struct range *reserved;
} entries[] = {
	{ "vtd.context", 2, context, context_reserved },
	{ "vtd.root", 2, root, root_reserved },
};

/* No field of these entries crosses a word. */
static uint64_t bits(const uint64_t *words, unsigned high, unsigned low)
{
	unsigned width = high - low + 1;
	uint64_t value = words[low / 64] >> (low % 64);

	return width == 64 ? value : value & ((UINT64_C(1) << width) - 1);
}

/* The text behind "name":" up to the next quote. */
static bool text_of(const char *line, const char *name, char *into, size_t room)
{
	char key[64];
	const char *from, *to;

	snprintf(key, sizeof(key), "\"%s\":\"", name);
	from = strstr(line, key);
	if (!from)
		return false;
	from += strlen(key);
	to = strchr(from, '"');
	if (!to || (size_t)(to - from) >= room)
		return false;
	memcpy(into, from, to - from);
	into[to - from] = 0;
	return true;
}

/* The words behind "name":[ up to the bracket that ends them. */
static unsigned words_of(const char *line, const char *name, uint64_t *words)
{
	unsigned count = 0;
	char key[64];
	const char *at;

	snprintf(key, sizeof(key), "\"%s\":[", name);
	at = strstr(line, key);
	if (!at)
		return 0;
	for (at = strchr(at, '['); at && *at != ']' && count < MOST_WORDS; at++)
		if (*at == '"') {
			char *end;

			words[count++] = strtoull(at + 1, &end, 16);
			at = end;
		}
	return count;
}

static void answer(const struct entry *entry, const char *id, const uint64_t *words)
{
	const char *comma = "";

	printf("{\"id\":\"%s\",\"result\":{\"fields\":{", id);
	for (const struct field *f = entry->fields; f->name; f++, comma = ",") {
		uint64_t value = bits(words, f->high, f->low);

		printf("%s\"%s\":\"0x%" PRIx64 "\"", comma, f->name, f->address ? value << f->low % 64 : value);
	}
	printf("},\"reserved\":[");
	comma = "";
	for (const struct range *r = entry->reserved; r->high; r++) {
		uint64_t value = bits(words, r->high, r->low);

		if (value) {
			printf("%s{\"high\":%u,\"low\":%u,\"value\":\"0x%" PRIx64 "\"}", comma, r->high, r->low, value);
			comma = ",";
		}
	}
	printf("]}}\n");
}

#define PASID_WORDS 8

static void store(unsigned index, uint64_t word)
{
	printf("{\"do\":\"store\",\"index\":%u,\"words\":[\"0x%016" PRIx64 "\"]},", index, word);
}

/* PASID-cache and PASID-based IOTLB invalidations of one PASID of the domain that the entry was in. */
static void invalidate(uint64_t pasid, uint64_t domain)
{
	uint64_t cache = UINT64_C(0x7) | UINT64_C(1) << 4 | domain << 16 | pasid << 32;
	uint64_t iotlb = UINT64_C(0x6) | UINT64_C(2) << 4 | domain << 16 | pasid << 32;

	printf("{\"do\":\"invalidate\",\"commands\":[[\"0x%016" PRIx64 "\",\"0x0\"],[\"0x%016" PRIx64 "\",\"0x0\"]]},", cache, iotlb);
}

/*
 * Intel VT-d, PASID entry: P is cleared first, every cache forgets, the rest is written, P comes last. That is never hitless,
 * unless nothing changes.
 */
static void change(const char *line, const char *id)
{
	uint64_t from[MOST_WORDS], to[MOST_WORDS];
	const char *at = strstr(line, "\"pasid\":");
	bool equal;

	if (words_of(line, "from", from) != PASID_WORDS || words_of(line, "to", to) != PASID_WORDS || !at) {
		printf("{\"id\":\"%s\",\"unsupported\":true}\n", id);
		return;
	}
	equal = !memcmp(from, to, sizeof(from));
	printf("{\"id\":\"%s\",\"result\":{\"hitless\":%s,\"steps\":[", id, equal && from[0] & 1 ? "true" : "false");
	if (!equal && from[0] & 1) {
		store(0, from[0] & ~UINT64_C(1));
		invalidate(strtoull(at + strlen("\"pasid\":"), NULL, 10), from[1] & 0xffff);
	}
	for (unsigned i = 1; !equal && i < PASID_WORDS; i++)
		if (from[i] != to[i])
			store(i, to[i]);
	if (!equal)
		store(0, to[0]);
	printf("{\"do\":\"order\"}]}}\n");
}

int main(void)
{
	static char line[1 << 16];

	while (fgets(line, sizeof(line), stdin)) {
		char id[256], kind[64], name[64] = "";
		uint64_t words[MOST_WORDS];
		const struct entry *found = NULL;

		if (!text_of(line, "id", id, sizeof(id)) || !text_of(line, "kind", kind, sizeof(kind)))
			return 1;
		text_of(line, "entry", name, sizeof(name));
		for (size_t i = 0; i < sizeof(entries) / sizeof(*entries); i++)
			if (!strcmp(kind, "decode") && !strcmp(name, entries[i].name))
				found = &entries[i];
		if (!strcmp(kind, "transition") && !strcmp(name, "vtd.pasid"))
			change(line, id);
		else if (found && words_of(line, "words", words) == found->words)
			answer(found, id, words);
		else
			printf("{\"id\":\"%s\",\"unsupported\":true}\n", id);
		fflush(stdout);
	}
	return 0;
}
