#include "fakes/call_seam.h"

/* Every method, every field: missing, too long, and full of what would mean something to
 * a script or a path. The fake box ends the test if such an id ever reaches it. */
#define TEXT(s) ((char *)(uintptr_t)(s))

static char longer[5000];

static const char *const texts[] = {
	"",
	"a\nb",
	"a\"b",
	"$a",
	"[find]",
	"a;b",
	"..",
	"../../x",
	"a\\b",
	"-",
	" ",
	"\t",
	"\x7f",
	"\xc3\x28",
	"\xed\xa0\x80",
	"raid1\" or 1=1",
	longer,
};
enum { N_TEXTS = sizeof(texts) / sizeof(texts[0]) };

/* A request that would be served, for the fields that are not under test. */
static void fill(ProtobufCMessage *req, struct ctl_cap *cap,
		 Csi__V1__CapacityRange *range)
{
	const ProtobufCMessageDescriptor *d = req->descriptor;

	ctl_cap(cap, CTL_MODE(SINGLE_NODE_WRITER));
	csi__v1__capacity_range__init(range);
	range->required_bytes = INT64_C(1) << 30;
	for (unsigned i = 0; i < d->n_fields; i++) {
		void *at = (char *)req + d->fields[i].offset;
		const char *name = d->fields[i].name;

		if (strcmp(name, "volume_id") == 0 || strcmp(name, "name") == 0)
			*(char **)at = TEXT("pvc-1");
		else if (strcmp(name, "node_id") == 0)
			*(char **)at = TEXT("node-a");
		else if (strcmp(name, "capacity_range") == 0)
			*(void **)at = range;
		else if (strcmp(name, "volume_capability") == 0)
			*(void **)at = &cap->cap;
		if (strcmp(name, "volume_capabilities") == 0) {
			*(size_t *)(void *)((char *)req +
					    d->fields[i].quantifier_offset) = 1;
			*(void **)at = cap->list;
		}
	}
}

static void expect_calm(struct ctl *c, const char *method, const void *req,
			const char *what)
{
	struct grpc_call call;
	enum err_code code = ctl_call(c, &call, method, req);

	cr_assert(code == ERR_OK || code == ERR_INVALID || code == ERR_NOT_FOUND ||
			  code == ERR_ABORTED || code == ERR_RANGE ||
			  code == ERR_PRECONDITION,
		  "%s, %s: %d %s", method, what, (int)code, call.err.msg);
	ctl_call_free(&call);
}

/* One string field, or the key or the value of a map's only entry. */
static void try_field(struct ctl *c, const char *method, ProtobufCMessage *req,
		      const ProtobufCFieldDescriptor *f)
{
	void *at = (char *)req + f->offset;

	if (f->type == PROTOBUF_C_TYPE_STRING && f->label != PROTOBUF_C_LABEL_REPEATED) {
		char *was = *(char **)at;

		for (int i = 0; i < N_TEXTS; i++) {
			*(char **)at = TEXT(texts[i]);
			expect_calm(c, method, req, f->name);
		}
		*(char **)at = was;
		return;
	}
	if (f->type == PROTOBUF_C_TYPE_MESSAGE && f->label == PROTOBUF_C_LABEL_REPEATED) {
		const ProtobufCMessageDescriptor *ed = f->descriptor;
		void *entry, *list[1], *was = *(void **)at;
		size_t *n = (void *)((char *)req + f->quantifier_offset), had = *n;

		/* Without the list at all. */
		*n = 0;
		expect_calm(c, method, req, f->name);
		*n = had;
		if (!strstr(ed->name, "Entry"))
			return;
		entry = calloc(1, ed->sizeof_message);
		ed->message_init(entry);
		list[0] = entry;
		*n = 1;
		*(void **)at = list;
		for (int i = 0; i < 2 * N_TEXTS; i++) {
			*(char **)(void *)((char *)entry + ed->fields[i % 2].offset) =
				TEXT(texts[i / 2]);
			expect_calm(c, method, req, f->name);
		}
		*n = had;
		*(void **)at = was;
		free(entry);
		return;
	}
	if (f->type == PROTOBUF_C_TYPE_MESSAGE) {
		void *was = *(void **)at;

		*(void **)at = NULL;
		expect_calm(c, method, req, f->name);
		*(void **)at = was;
	}
}

Test(ctl_hostile, every_field_of_every_request)
{
	struct ctl c;

	memset(longer, 'x', sizeof(longer) - 1);
	ctl_open(&c);
	for (const struct rpc_method *m = controller_methods; m->path; m++) {
		ProtobufCMessage *req = calloc(1, m->request->sizeof_message);
		struct ctl_cap cap;
		Csi__V1__CapacityRange range;

		m->request->message_init(req);
		fill(req, &cap, &range);
		for (unsigned i = 0; i < m->request->n_fields; i++)
			try_field(&c, strrchr(m->path, '/') + 1, req,
				  &m->request->fields[i]);
		free(req);
	}
	ctl_close(&c);
}

Test(ctl_hostile, capabilities_that_are_no_capabilities)
{
	static const int modes[] = { -1, 0, 4, 8, 99, INT32_MAX };
	struct ctl c;

	ctl_open(&c);
	cr_assert_eq(ctl_create(&c, "pvc-1", INT64_C(1) << 30), ERR_OK);
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
		cr_assert_eq(ctl_publish_as(&c, "pvc-1", "node-a", modes[i], false),
			     ERR_INVALID, "mode %d", modes[i]);
	cr_assert(!fake_rds_find(&c.box, "pvc-1")->is_exported);
	ctl_close(&c);
}

/* Bytes that are no message at all, in every method. */
Test(ctl_hostile, garbage_is_refused)
{
	struct ctl c;
	uint32_t seed = 7;

	ctl_open(&c);
	for (const struct rpc_method *m = controller_methods; m->path; m++)
		for (int n = 0; n < 200; n++) {
			uint8_t bytes[64];
			struct grpc_call call = { .path = m->path,
						  .message = bytes,
						  .len = (size_t)n % sizeof(bytes) };

			for (size_t i = 0; i < sizeof(bytes); i++) {
				seed = seed * 1664525 + 1013904223;
				bytes[i] = (uint8_t)(seed >> 24);
			}
			dispatch_call(&c.dispatch, &call);
			ctl_finish(&c, &call);
			cr_assert_neq(call.err.code, ERR_INTERNAL);
			free(call.reply);
		}
	ctl_close(&c);
}
