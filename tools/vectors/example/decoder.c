/*
 * An example of a program that `iommu vectors --check` can ask: a decoder of two VT-d entries in C.
 *
 *   cc -O2 -o decoder decoder.c
 *   iommu vectors --vendor vtd --kind decode --check ./decoder
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

static unsigned words_of(const char *line, uint64_t *words)
{
	unsigned count = 0;
	const char *at = strstr(line, "\"words\":[");

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
		if (found && words_of(line, words) == found->words)
			answer(found, id, words);
		else
			printf("{\"id\":\"%s\",\"unsupported\":true}\n", id);
		fflush(stdout);
	}
	return 0;
}
