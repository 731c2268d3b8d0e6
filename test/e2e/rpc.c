#include "e2e/rpc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "e2e/logs.h"

enum { POOL = 1 << 20, TIMEOUT_MS = 60000 };
static char pool[POOL] __attribute__((aligned(16)));
static size_t pool_used;
static char last_message[256];

static const ProtobufCServiceDescriptor *const services[] = {
	&csi__v1__identity__descriptor,
	&csi__v1__controller__descriptor,
	&csi__v1__group_controller__descriptor,
	&csi__v1__node__descriptor,
};
enum { N_SERVICES = sizeof(services) / sizeof(services[0]) };

const ProtobufCMethodDescriptor *rpc_method(const char *name)
{
	for (size_t i = 0; i < N_SERVICES; i++)
		for (unsigned m = 0; m < services[i]->n_methods; m++)
			if (strcmp(services[i]->methods[m].name, name) == 0)
				return &services[i]->methods[m];
	fprintf(stderr, "no method %s\n", name);
	abort();
}

static const char *service_of(const ProtobufCMethodDescriptor *m)
{
	for (size_t i = 0; i < N_SERVICES; i++)
		if (m >= services[i]->methods &&
		    m < services[i]->methods + services[i]->n_methods)
			return services[i]->name;
	abort();
}

void rpc_reset(void)
{
	pool_used = 0;
}

void *rpc_alloc(size_t size)
{
	void *p = pool + pool_used;

	size = (size + 15) & ~(size_t)15;
	if (size > POOL - pool_used)
		abort();
	pool_used += size;
	memset(p, 0, size);
	return p;
}

char *rpc_text(const char *text)
{
	size_t n = strlen(text) + 1;

	return memcpy(rpc_alloc(n), text, n);
}

static const ProtobufCFieldDescriptor *field_of(const ProtobufCMessage *m,
						const char *name)
{
	const ProtobufCFieldDescriptor *f =
		protobuf_c_message_descriptor_get_field_by_name(m->descriptor, name);

	if (!f)
		abort();
	return f;
}

static char **text_at(ProtobufCMessage *m, const char *field)
{
	return (void *)((char *)m + field_of(m, field)->offset);
}

void rpc_map(ProtobufCMessage *m, const char *field, const char *const *pairs, size_t n)
{
	const ProtobufCFieldDescriptor *f = field_of(m, field);
	const ProtobufCMessageDescriptor *entry = f->descriptor;
	ProtobufCMessage **list = rpc_alloc((n + 1) * sizeof(*list));

	for (size_t i = 0; i < n; i++) {
		list[i] = rpc_alloc(entry->sizeof_message);
		protobuf_c_message_init(entry, list[i]);
		*text_at(list[i], "key") = rpc_text(pairs[2 * i]);
		*text_at(list[i], "value") = rpc_text(pairs[2 * i + 1]);
	}
	memcpy((char *)m + f->quantifier_offset, &n, sizeof(n));
	memcpy((char *)m + f->offset, &list, sizeof(list));
}

void *rpc_request(const char *name)
{
	static const char *const secret[] = { "password", LOGS_SECRET };
	const ProtobufCMessageDescriptor *in = rpc_method(name)->input;
	ProtobufCMessage *m = rpc_alloc(in->sizeof_message);

	protobuf_c_message_init(in, m);
	if (protobuf_c_message_descriptor_get_field_by_name(in, "secrets"))
		rpc_map(m, "secrets", secret, 1);
	return m;
}

bool rpc_pair(const ProtobufCMessage *m, const char *field, size_t n,
	      const char **ret_key, const char **ret_value)
{
	const ProtobufCFieldDescriptor *f = field_of(m, field);
	size_t count;
	ProtobufCMessage **list;

	memcpy(&count, (const char *)m + f->quantifier_offset, sizeof(count));
	memcpy(&list, (const char *)m + f->offset, sizeof(list));
	if (n >= count)
		return false;
	*ret_key = *text_at(list[n], "key");
	*ret_value = *text_at(list[n], "value");
	return true;
}

static void on_done(struct op *op)
{
	CONTAINER_OF(op, struct rpc_call, client.op)->is_done = true;
}

struct packed {
	uint8_t *bytes; /* of the call from now on */
	size_t len;
	uint64_t timeout_ms;
};

static void start(struct driver *d, struct rpc_call *c, const char *name, struct packed p)
{
	*c = (struct rpc_call){ .method = rpc_method(name), .packed = p.bytes };
	(void)snprintf(c->path, sizeof(c->path), "/%s/%s", service_of(c->method), name);
	c->client.address = d->address;
	c->client.path = c->path;
	c->client.message = p.bytes;
	c->client.message_len = p.len;
	c->client.timeout_ms = p.timeout_ms ? p.timeout_ms
			       : d->call_ms ? d->call_ms
					    : TIMEOUT_MS;
	uv_update_time(&d->loop); /* the time that the deadline is counted from */
	grpc_client_start(&c->client, &d->loop, on_done);
}

void rpc_start_raw(struct driver *d, struct rpc_call *c, const char *name,
		   const uint8_t *message, size_t len)
{
	uint8_t *packed = malloc(len + 1);

	if (len)
		memcpy(packed, message, len);
	start(d, c, name, (struct packed){ packed, len, 0 });
}

void rpc_start(struct driver *d, struct rpc_call *c, const char *name,
	       const void *request, uint64_t timeout_ms)
{
	size_t len = protobuf_c_message_get_packed_size(request);
	uint8_t *packed = malloc(len + 1);

	(void)protobuf_c_message_pack(request, packed);
	start(d, c, name, (struct packed){ packed, len, timeout_ms });
}

static void on_tick(uv_timer_t *t)
{
	(void)t;
}

void rpc_turn(struct driver *d, unsigned ms)
{
	uv_timer_t tick;

	uv_timer_init(&d->loop, &tick);
	/* Repeated: one that is due before the poll would leave the poll without end. */
	uv_timer_start(&tick, on_tick, ms, ms ? ms : 1);
	uv_run(&d->loop, UV_RUN_ONCE);
	uv_close((uv_handle_t *)&tick, NULL);
	uv_run(&d->loop, UV_RUN_NOWAIT);
}

enum err_code rpc_wait(struct driver *d, struct rpc_call *c)
{
	while (!c->is_done)
		rpc_turn(d, 1000);
	(void)snprintf(last_message, sizeof(last_message), "%s: %s",
		       err_name(c->client.op.err.code), c->client.op.err.msg);
	CHECK(!strstr(last_message, LOGS_SECRET), "a secret: %s", last_message);
	if (c->client.op.err.code == ERR_OK && !c->answer) {
		c->answer =
			protobuf_c_message_unpack(c->method->output, NULL,
						  c->client.reply.len,
						  (const uint8_t *)c->client.reply.data);
		CHECK(c->answer != NULL, "%s: the answer cannot be decoded", c->path);
	}
	return c->client.op.err.code;
}

void rpc_free(struct rpc_call *c)
{
	if (c->answer)
		protobuf_c_message_free_unpacked(c->answer, NULL);
	buf_fini(&c->client.reply);
	free(c->packed);
	c->answer = NULL;
	c->packed = NULL;
}

enum err_code rpc_do(struct driver *d, const char *name, const void *request)
{
	struct rpc_call c;
	enum err_code code;

	rpc_start(d, &c, name, request, 0);
	code = rpc_wait(d, &c);
	rpc_free(&c);
	rpc_reset();
	return code;
}

const char *rpc_message(void)
{
	return last_message;
}

bool rpc_probe(struct driver *d)
{
	Csi__V1__ProbeRequest req = CSI__V1__PROBE_REQUEST__INIT;
	struct rpc_call c;
	bool ok;

	rpc_start(d, &c, "Probe", &req, 2000);
	ok = rpc_wait(d, &c) == ERR_OK;
	if (ok) {
		const Csi__V1__ProbeResponse *r = (const void *)c.answer;

		ok = r->ready && r->ready->value;
	}
	rpc_free(&c);
	return ok;
}
