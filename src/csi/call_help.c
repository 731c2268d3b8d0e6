#include "csi/call_help.h"

#include <stdbool.h>
#include <string.h>

#include "core/str.h"
#include "csi.pb-c.h"
#include "csi/call_json.h"
#include "csi/validate.h"

const ProtobufCServiceDescriptor *const call_services[] = {
	&csi__v1__identity__descriptor,
	&csi__v1__controller__descriptor,
	&csi__v1__group_controller__descriptor,
	&csi__v1__node__descriptor,
	NULL,
};

static const char usage[] =
	"rds-csi call [--endpoint ADDRESS] [--timeout DURATION] METHOD [JSON | -]\n\n"
	"Calls one method of a CSI driver and prints its answer as JSON. The request is "
	"{}\n"
	"when none is given; - reads it from standard input. An error is printed as\n"
	"CODE: message, and its gRPC number is the exit status (2 also for a bad "
	"command\n"
	"line or bad JSON).\n"
	"  --endpoint  unix:///path, /path or tcp://127.0.0.1:port (default "
	"$CSI_ENDPOINT)\n"
	"  --timeout   such as 30s or 5m (default 1m)\n\n"
	"Methods and the fields of their requests. Names may also be in lowerCamelCase;\n"
	"numbers may be strings.\n";

static bool is_method(const ProtobufCServiceDescriptor *s,
		      const ProtobufCMethodDescriptor *m, const char *name)
{
	const char *slash = strrchr(name, '/');
	size_t n;

	if (strcmp(slash ? slash + 1 : name, m->name) != 0)
		return false;
	if (!slash)
		return true;
	name += *name == '/';
	n = (size_t)(slash - name);
	return (strlen(s->name) == n && strncmp(s->name, name, n) == 0) ||
	       (strlen(s->short_name) == n && strncmp(s->short_name, name, n) == 0);
}

const ProtobufCMethodDescriptor *call_find(const char *name,
					   const ProtobufCServiceDescriptor **ret_service)
{
	for (unsigned i = 0; call_services[i]; i++)
		for (unsigned k = 0; k < call_services[i]->n_methods; k++) {
			if (!is_method(call_services[i], &call_services[i]->methods[k],
				       name))
				continue;
			*ret_service = call_services[i];
			return &call_services[i]->methods[k];
		}
	return NULL;
}

static void put_fields(struct buf *out, const ProtobufCMessageDescriptor *desc);

static void put_enum(struct buf *out, const ProtobufCEnumDescriptor *desc)
{
	/* The first one is UNKNOWN everywhere in CSI. */
	for (unsigned i = 1; i < desc->n_values; i++)
		(void)buf_printf(out, "%s%s", i > 1 ? "|" : "", desc->values[i].name);
}

static void put_type(struct buf *out, const ProtobufCFieldDescriptor *f)
{
	const ProtobufCMessageDescriptor *below = f->descriptor;

	switch (f->type) {
	case PROTOBUF_C_TYPE_STRING:
		(void)buf_puts(out, "string");
		return;
	case PROTOBUF_C_TYPE_BOOL:
		(void)buf_puts(out, "bool");
		return;
	case PROTOBUF_C_TYPE_ENUM:
		put_enum(out, f->descriptor);
		return;
	case PROTOBUF_C_TYPE_MESSAGE:
		break;
	default:
		(void)buf_puts(out, "number");
		return;
	}
	if (call_json_kind(below) == CALL_JSON_TIMESTAMP)
		(void)buf_puts(out, "time");
	else if (call_json_kind(below) == CALL_JSON_WRAPPER)
		put_type(out, &below->fields[0]);
	else if (validate_is_map_entry(below))
		(void)buf_puts(out, "{string: string}");
	else
		put_fields(out, below);
}

static void put_field(struct buf *out, const ProtobufCFieldDescriptor *f)
{
	bool is_list = f->label == PROTOBUF_C_LABEL_REPEATED &&
		       !(f->type == PROTOBUF_C_TYPE_MESSAGE &&
			 validate_is_map_entry(f->descriptor));

	(void)buf_printf(out, "%s: %s", f->name, is_list ? "[" : "");
	put_type(out, f);
	(void)buf_puts(out, is_list ? ", …]" : "");
}

static void put_fields(struct buf *out, const ProtobufCMessageDescriptor *desc)
{
	(void)buf_putc(out, '{');
	for (unsigned i = 0; i < desc->n_fields; i++) {
		(void)buf_puts(out, i ? ", " : "");
		put_field(out, &desc->fields[i]);
	}
	(void)buf_putc(out, '}');
}

static void put_method(struct buf *out, const ProtobufCMethodDescriptor *m)
{
	(void)buf_printf(out, "  %s\n", m->name);
	for (unsigned i = 0; i < m->input->n_fields; i++) {
		(void)buf_puts(out, "      ");
		put_field(out, &m->input->fields[i]);
		(void)buf_putc(out, '\n');
	}
}

int call_help(struct buf *out)
{
	(void)buf_puts(out, usage);
	for (unsigned i = 0; call_services[i]; i++) {
		(void)buf_printf(out, "\n%s\n", call_services[i]->short_name);
		for (unsigned k = 0; k < call_services[i]->n_methods; k++)
			put_method(out, &call_services[i]->methods[k]);
	}
	return buf_failed(out) ? -1 : 0;
}
