#include "csi/call.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/log.h"
#include "core/mem.h"
#include "core/str.h"
#include "csi/call_help.h"
#include "csi/call_json.h"
#include "csi/grpc/call.h"
#include "csi/grpc/client.h"

enum { BAD_USAGE = 2, DEFAULT_TIMEOUT_MS = 60000 };

struct args {
	const char *endpoint, *method, *json;
	uint64_t timeout_ms;
	bool is_help;
};

/* One call from the text of the request to the text of the answer. */
struct session {
	const ProtobufCMethodDescriptor *method;
	struct arena arena; /* both messages, decoded */
	struct buf request; /* encoded */
	char path[160];
	struct grpc_client client;
};

/* What a server says goes to a terminal: no escape sequences. */
static void complain(const char *what, const char *text)
{
	char clean[sizeof(((struct err *)NULL)->msg)];
	size_t n = 0;

	for (; text[n] && n + 1 < sizeof(clean); n++)
		clean[n] =
			(unsigned char)text[n] < ' ' || text[n] == 0x7f ? ' ' : text[n];
	clean[n] = '\0';
	(void)fprintf(stderr, "%s: %s\n", what, clean);
}

static int take_option(struct args *a, int argc, char **argv, int *at)
{
	const char *arg = argv[*at], *name = arg + (arg[1] == '-' ? 2 : 1);
	size_t n = strcspn(name, "=");
	const char *value = name[n] ? name + n + 1 : NULL;

	if (strcmp(name, "help") == 0 || strcmp(name, "h") == 0) {
		a->is_help = true;
		return 0;
	}
	if (!value && *at + 1 < argc)
		value = argv[++*at];
	if (n == 8 && value && strncmp(name, "endpoint", n) == 0) {
		a->endpoint = value;
		return 0;
	}
	if (n == 7 && value && strncmp(name, "timeout", n) == 0)
		return str_to_duration_ms(value, &a->timeout_ms) || !a->timeout_ms ? -1
										   : 0;
	return -1;
}

static int take_args(struct args *a, int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		const char *arg = argv[i];

		if (arg[0] == '-' && arg[1]) {
			if (take_option(a, argc, argv, &i)) {
				complain("rds-csi call: bad option", arg);
				return -1;
			}
		} else if (!a->method) {
			a->method = arg;
		} else if (!a->json) {
			a->json = arg;
		} else {
			complain("rds-csi call: unexpected argument", arg);
			return -1;
		}
	}
	return 0;
}

static int read_stdin(struct buf *text)
{
	for (;;) {
		ssize_t n;

		if (buf_reserve(text, 4096))
			return -1;
		n = read(STDIN_FILENO, text->data + text->len, 4096);
		if (n <= 0)
			return n < 0 ? -1 : 0;
		text->len += (size_t)n;
	}
}

static json_t *load(const char *arg, struct err *err)
{
	struct buf text;
	json_error_t why;
	json_t *value = NULL;

	buf_init(&text, GRPC_MAX_MESSAGE);
	if (!arg)
		arg = "{}";
	if (strcmp(arg, "-") == 0 ? read_stdin(&text) : buf_puts(&text, arg)) {
		(void)err_set(err, ERR_INVALID,
			      "cannot be read, or is larger than 4 MiB");
	} else {
		value = json_loadb(text.data ? text.data : "", text.len,
				   JSON_REJECT_DUPLICATES, &why);
		if (!value)
			(void)err_set(err, ERR_INVALID, "line %d, column %d: %.150s",
				      why.line, why.column, why.text);
	}
	buf_fini(&text);
	return value;
}

static int encode(struct session *s, const char *arg, struct err *err)
{
	json_t *value = load(arg, err);
	ProtobufCMessage *m;
	size_t n;
	int rc;

	if (!value)
		return -1;
	rc = call_json_read(s->method->input, value, &s->arena, &m, err);
	json_decref(value);
	if (rc)
		return -1;
	n = protobuf_c_message_get_packed_size(m);
	if (buf_reserve(&s->request, n))
		return err_set(err, ERR_INVALID, "larger than 4 MiB");
	s->request.len = protobuf_c_message_pack(m, (uint8_t *)s->request.data);
	return 0;
}

static void *on_alloc(void *arena, size_t size)
{
	return arena_alloc(arena, size);
}

static void on_free(void *arena, void *p)
{
	(void)arena;
	(void)p;
}

static int print(struct session *s, struct err *err)
{
	ProtobufCAllocator from = { on_alloc, on_free, &s->arena };
	const struct buf *reply = &s->client.reply;
	const char *at = reply->len ? reply->data : "";
	ProtobufCMessage *m = protobuf_c_message_unpack(s->method->output, &from,
							reply->len, (const uint8_t *)at);
	json_t *value = m ? call_json_write(m) : NULL;

	if (!value)
		return err_set(err, ERR_INTERNAL, "the answer cannot be understood");
	(void)json_dumpf(value, stdout, JSON_INDENT(2));
	(void)fputc('\n', stdout);
	json_decref(value);
	return 0;
}

static void on_done(struct op *op)
{
	(void)op; /* the loop runs dry */
}

static int exchange(struct session *s, const struct args *a, struct err *err)
{
	struct clock clock;
	uv_loop_t loop;

	if (uv_loop_init(&loop))
		return err_set(err, ERR_UNAVAILABLE, "no event loop");
	clock_open(&clock, &loop);
	s->client.address = a->endpoint;
	s->client.path = s->path;
	s->client.message = s->request.data;
	s->client.message_len = s->request.len;
	s->client.timeout_ms = a->timeout_ms;
	grpc_client_start(&s->client, &loop, on_done);
	(void)uv_run(&loop, UV_RUN_DEFAULT);
	*err = s->client.op.err;
	clock_close(&loop);
	(void)uv_run(&loop, UV_RUN_DEFAULT);
	(void)uv_loop_close(&loop);
	return err->code == ERR_OK ? 0 : -1;
}

static int run(const struct args *a)
{
	const ProtobufCServiceDescriptor *service;
	struct session s = { .method = call_find(a->method, &service) };
	struct err err = { .code = ERR_OK };
	int status;

	if (!s.method) {
		complain("rds-csi call: no such method; see --help", a->method);
		return BAD_USAGE;
	}
	arena_init(&s.arena, 64 * 1024 * 1024);
	buf_init(&s.request, GRPC_MAX_MESSAGE);
	(void)snprintf(s.path, sizeof(s.path), "/%s/%s", service->name, s.method->name);
	if (encode(&s, a->json, &err)) {
		complain("rds-csi call: bad JSON", err.msg);
		status = BAD_USAGE;
	} else {
		if (exchange(&s, a, &err) == 0)
			(void)print(&s, &err);
		if (err.code != ERR_OK)
			complain(err_name(err.code), err.msg);
		status = (int)err.code;
	}
	buf_fini(&s.client.reply);
	buf_fini(&s.request);
	arena_fini(&s.arena);
	return status;
}

static int help(void)
{
	struct buf text;

	buf_init(&text, 64 * 1024);
	if (call_help(&text) == 0)
		(void)fputs(text.data, stdout);
	buf_fini(&text);
	return 0;
}

int call_main(int argc, char **argv)
{
	struct args a = { .timeout_ms = DEFAULT_TIMEOUT_MS,
			  .endpoint = getenv("CSI_ENDPOINT") };

	log_open(LOG_WARN, false);
	json_set_alloc_funcs(mem_alloc, mem_free);
	(void)uv_replace_allocator(mem_uv_alloc, mem_uv_realloc, mem_uv_calloc,
				   mem_uv_free);
	if (take_args(&a, argc, argv))
		return BAD_USAGE;
	if (a.is_help)
		return help();
	if (!a.method) {
		complain("rds-csi call", "no METHOD given; see --help");
		return BAD_USAGE;
	}
	if (!a.endpoint || !*a.endpoint) {
		complain("rds-csi call", "--endpoint or $CSI_ENDPOINT must say where");
		return BAD_USAGE;
	}
	return run(&a);
}
