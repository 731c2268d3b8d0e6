#include "support/t.h"

#include <ctype.h>
#include <string.h>

#include "csi.pb-c.h"
#include "csi/call_help.h"
#include "csi/call_json.h"
#include "csi/validate.h"

static struct err e;

static void *at_offset(ProtobufCMessage *m, unsigned offset)
{
	return (char *)m + offset;
}

static ProtobufCMessage *filled(struct arena *a, const ProtobufCMessageDescriptor *desc,
				unsigned choice);

/* A value that is not the default, and differs from its neighbours. */
static void fill_value(struct arena *a, const ProtobufCFieldDescriptor *f, void *at,
		       unsigned choice)
{
	const ProtobufCEnumDescriptor *names = f->descriptor;

	switch (f->type) {
	case PROTOBUF_C_TYPE_STRING:
		*(char **)at = arena_printf(a, "%s \"%u\" \u263a\n", f->name, choice);
		return;
	case PROTOBUF_C_TYPE_BOOL:
		*(protobuf_c_boolean *)at = 1;
		return;
	case PROTOBUF_C_TYPE_INT32:
		*(int32_t *)at = 7 + (int32_t)choice;
		return;
	case PROTOBUF_C_TYPE_INT64:
		*(int64_t *)at = INT64_C(9007199254740993) - (int64_t)choice;
		return;
	case PROTOBUF_C_TYPE_ENUM:
		*(int32_t *)at = names->values[choice % (names->n_values - 1) + 1].value;
		return;
	case PROTOBUF_C_TYPE_MESSAGE:
		*(ProtobufCMessage **)at = filled(a, f->descriptor, choice);
		return;
	default:
		cr_assert_fail("a type that CSI does not use: %s", f->name);
	}
}

static void fill_list(struct arena *a, const ProtobufCFieldDescriptor *f,
		      ProtobufCMessage *m, unsigned choice)
{
	void **items = arena_alloc(a, 2 * sizeof(*items));

	fill_value(a, f, &items[0], choice);
	fill_value(a, f, &items[1], choice + 1);
	*(size_t *)at_offset(m, f->quantifier_offset) = 2;
	*(void ***)at_offset(m, f->offset) = items;
}

/* Every field set; of a oneof the choice-th. */
static ProtobufCMessage *filled(struct arena *a, const ProtobufCMessageDescriptor *desc,
				unsigned choice)
{
	ProtobufCMessage *m = arena_alloc(a, desc->sizeof_message);
	unsigned n_oneof = 0, nth = 0;

	protobuf_c_message_init(desc, m);
	if (call_json_kind(desc) == CALL_JSON_TIMESTAMP) {
		((Csi__V1__Timestamp *)m)->seconds = 1700000000 + (int64_t)choice;
		((Csi__V1__Timestamp *)m)->nanos = (int32_t)choice * 120;
		return m;
	}
	for (unsigned i = 0; i < desc->n_fields; i++)
		n_oneof += (desc->fields[i].flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0;
	for (unsigned i = 0; i < desc->n_fields; i++) {
		const ProtobufCFieldDescriptor *f = &desc->fields[i];

		if (f->label == PROTOBUF_C_LABEL_REPEATED) {
			fill_list(a, f, m, choice);
			continue;
		}
		if (f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) {
			if (nth++ != choice % n_oneof)
				continue;
			*(uint32_t *)at_offset(m, f->quantifier_offset) = f->id;
		}
		fill_value(a, f, at_offset(m, f->offset), choice);
	}
	return m;
}

/* snake_case keys to lowerCamelCase, in field names only. */
static json_t *camel(json_t *value, const ProtobufCMessageDescriptor *desc)
{
	json_t *out, *it;
	const char *key;

	if (!json_is_object(value))
		return json_deep_copy(value);
	out = json_object();
	json_object_foreach(value, key, it)
	{
		const ProtobufCFieldDescriptor *f =
			protobuf_c_message_descriptor_get_field_by_name(desc, key);
		char name[64], *to = name;

		for (const char *p = key; *p; p++)
			*to++ = *p == '_' ? (char)toupper(*++p) : *p;
		*to = '\0';
		json_object_set_new(out, name,
				    f->type == PROTOBUF_C_TYPE_MESSAGE &&
						    !validate_is_map_entry(f->descriptor)
					    ? camel(it, f->descriptor)
					    : json_deep_copy(it));
	}
	return out;
}

static void compare(struct arena *a, const ProtobufCMessageDescriptor *desc,
		    ProtobufCMessage *want, const json_t *value)
{
	ProtobufCMessage *got;
	size_t n = protobuf_c_message_get_packed_size(want);
	uint8_t *x = arena_alloc(a, n + 1), *y = arena_alloc(a, n + 1);

	e = (struct err){ .code = ERR_OK };
	cr_assert_eq(call_json_read(desc, value, a, &got, &e), 0, "%s: %s", desc->name,
		     e.msg);
	cr_assert_eq(protobuf_c_message_get_packed_size(got), n, "%s", desc->name);
	protobuf_c_message_pack(want, x);
	protobuf_c_message_pack(got, y);
	cr_assert_eq(memcmp(x, y, n), 0, "%s", desc->name);
}

static void round_trip(const ProtobufCMessageDescriptor *desc, unsigned choice)
{
	struct arena a;
	ProtobufCMessage *m;
	json_t *value, *other;
	char *text;

	arena_init(&a, 1 << 20);
	m = filled(&a, desc, choice);
	value = call_json_write(m);
	cr_assert_not_null(value, "%s", desc->name);
	/* Through text, as on the command line. */
	text = json_dumps(value, 0);
	json_decref(value);
	value = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	cr_assert_not_null(value);
	compare(&a, desc, m, value);
	other = camel(value, desc);
	compare(&a, desc, m, other);
	json_decref(other);
	json_decref(value);
	free(text);
	arena_fini(&a);
}

Test(call, every_request_and_answer_survives_the_way_through_json)
{
	unsigned n = 0;

	for (unsigned i = 0; call_services[i]; i++)
		for (unsigned k = 0; k < call_services[i]->n_methods; k++)
			for (unsigned choice = 0; choice < 8; choice++) {
				round_trip(call_services[i]->methods[k].input, choice);
				round_trip(call_services[i]->methods[k].output, choice);
				n += 2;
			}
	cr_assert_eq(n, 30 * 2 * 8);
	cr_assert_eq(mem_live(), 0);
}

static int read_create(const char *text, struct arena *a,
		       Csi__V1__CreateVolumeRequest **ret)
{
	json_t *value = json_loads(text, 0, NULL);
	ProtobufCMessage *m = NULL;
	int rc;

	cr_assert_not_null(value, "%s", text);
	e = (struct err){ .code = ERR_OK };
	rc = call_json_read(&csi__v1__create_volume_request__descriptor, value, a, &m,
			    &e);
	json_decref(value);
	*ret = (Csi__V1__CreateVolumeRequest *)m;
	return rc;
}

Test(call, reads_what_people_write)
{
	Csi__V1__CreateVolumeRequest *req;
	struct arena a;

	arena_init(&a, 1 << 20);
	cr_assert_eq(
		read_create("{\"name\": \"v\", \"capacityRange\": "
			    "{\"requiredBytes\": \"1073741824\", \"limit_bytes\": 7},"
			    "\"volume_capabilities\": [{\"block\": {}, \"access_mode\": "
			    "{\"mode\": \"SINGLE_NODE_WRITER\"}}, {\"accessMode\": "
			    "{\"mode\": 5}}], \"parameters\": {\"a_b\": \"c\"},"
			    "\"secrets\": null}",
			    &a, &req),
		0, "%s", e.msg);
	cr_assert_str_eq(req->name, "v");
	cr_assert_eq(req->capacity_range->required_bytes, 1073741824);
	cr_assert_eq(req->capacity_range->limit_bytes, 7);
	cr_assert_eq(req->n_volume_capabilities, 2);
	cr_assert_eq(req->volume_capabilities[0]->access_type_case, 1);
	cr_assert_eq(req->volume_capabilities[0]->access_mode->mode, 1);
	cr_assert_eq(req->volume_capabilities[1]->access_mode->mode, 5);
	cr_assert_str_eq(req->parameters[0]->key, "a_b");
	cr_assert_str_eq(req->parameters[0]->value, "c");
	cr_assert_eq(req->n_secrets, 0);
	arena_fini(&a);
}

Test(call, bad_json_is_named_by_its_field)
{
	static const char *const rows[][2] = {
		{ "[]", "must be an object" },
		{ "{\"nme\": \"v\"}", "CreateVolumeRequest has no field nme" },
		{ "{\"name\": 1}", "name: must be a string" },
		{ "{\"capacity_range\": 1}", "capacity_range: must be an object" },
		{ "{\"capacity_range\": {\"required_bytes\": 1.5}}",
		  "capacity_range: required_bytes: must be a whole number" },
		{ "{\"capacity_range\": {\"required_bytes\": \"9223372036854775808\"}}",
		  "capacity_range: required_bytes: must be a whole number" },
		{ "{\"parameters\": {\"a\": 1}}", "parameters: a: must be a string" },
		{ "{\"parameters\": []}", "parameters: must be an object" },
		{ "{\"volume_capabilities\": {}}",
		  "volume_capabilities: must be a list" },
		{ "{\"volume_capabilities\": [{\"access_mode\": {\"mode\": \"RWX\"}}]}",
		  "volume_capabilities: [0]: access_mode: mode: no Mode is called RWX" },
		{ "{\"volume_capabilities\": [{\"access_mode\": {\"mode\": "
		  "2147483648}}]}",
		  "volume_capabilities: [0]: access_mode: mode: must be a number of 32 "
		  "bits" },
		{ "{\"volume_capabilities\": [{\"block\": {}, \"mount\": {}}]}",
		  "volume_capabilities: [0]: mount: must be the only one of its kind" },
	};
	Csi__V1__CreateVolumeRequest *req;

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct arena a;

		arena_init(&a, 1 << 20);
		cr_assert_eq(read_create(rows[i][0], &a, &req), -1, "%s", rows[i][0]);
		cr_assert_eq(e.code, ERR_INVALID);
		cr_assert_str_eq(e.msg, rows[i][1]);
		arena_fini(&a);
	}
	cr_assert_eq(mem_live(), 0);
}

Test(call, lack_of_memory_is_told)
{
	Csi__V1__CreateVolumeRequest *req;

	for (size_t max = 0; max < 600; max += 16) {
		struct arena a;
		int rc;

		arena_init(&a, max);
		rc = read_create("{\"name\": \"v\", \"parameters\": {\"a\": \"b\"}}", &a,
				 &req);
		cr_assert(rc == 0 || e.code == ERR_EXHAUSTED);
		arena_fini(&a);
	}
}

Test(call, writes_wrappers_times_and_unknown_enums)
{
	Csi__V1__Timestamp when = CSI__V1__TIMESTAMP__INIT;
	Csi__V1__VolumeCapability__AccessMode mode =
		CSI__V1__VOLUME_CAPABILITY__ACCESS_MODE__INIT;
	Csi__V1__ProbeResponse probe = CSI__V1__PROBE_RESPONSE__INIT;
	Csi__V1__BoolValue no = CSI__V1__BOOL_VALUE__INIT;
	json_t *v;

	when.seconds = 1;
	when.nanos = 5;
	v = call_json_write(&when.base);
	cr_assert_str_eq(json_string_value(v), "1970-01-01T00:00:01.000000005Z");
	json_decref(v);
	mode.mode = (Csi__V1__VolumeCapability__AccessMode__Mode)99;
	v = call_json_write(&mode.base);
	cr_assert_eq(json_integer_value(json_object_get(v, "mode")), 99);
	json_decref(v);
	probe.ready = &no;
	v = call_json_write(&probe.base);
	cr_assert(json_is_false(json_object_get(v, "ready")));
	json_decref(v);
	probe.ready = NULL;
	v = call_json_write(&probe.base);
	cr_assert_eq(json_object_size(v), 0);
	json_decref(v);
}

Test(call, an_answer_that_is_not_utf8_is_refused)
{
	static char bad[] = "a\xff";
	Csi__V1__GetPluginInfoResponse m;
	char *list[] = { bad };
	Csi__V1__ListVolumesResponse__VolumeStatus s =
		CSI__V1__LIST_VOLUMES_RESPONSE__VOLUME_STATUS__INIT;

	csi__v1__get_plugin_info_response__init(&m);
	m.name = bad;
	cr_assert_null(call_json_write(&m.base));
	s.n_published_node_ids = 1;
	s.published_node_ids = list;
	cr_assert_null(call_json_write(&s.base));
}

Test(call, methods_are_found_by_their_three_names_only)
{
	static const char *const good[] = { "CreateVolume", "Controller/CreateVolume",
					    "csi.v1.Controller/CreateVolume",
					    "/csi.v1.Controller/CreateVolume" };
	static const char *const bad[] = { "createVolume",
					   "Node/CreateVolume",
					   "",
					   "/CreateVolume",
					   "Controller/",
					   "Controller",
					   "v1.Controller/CreateVolume",
					   "CreateVolume/" };
	const ProtobufCServiceDescriptor *service;

	for (unsigned i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		const ProtobufCMethodDescriptor *m = call_find(good[i], &service);

		cr_assert_not_null(m, "%s", good[i]);
		cr_assert_str_eq(service->name, "csi.v1.Controller");
		cr_assert_eq(m->input, &csi__v1__create_volume_request__descriptor);
	}
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_assert_null(call_find(bad[i], &service), "%s", bad[i]);
}

Test(call, help_names_every_method_and_field)
{
	struct buf text;

	buf_init(&text, 65536);
	cr_assert_eq(call_help(&text), 0);
	for (unsigned i = 0; call_services[i]; i++)
		for (unsigned k = 0; k < call_services[i]->n_methods; k++) {
			const ProtobufCMethodDescriptor *m =
				&call_services[i]->methods[k];

			cr_assert_not_null(strstr(text.data, m->name), "%s", m->name);
			for (unsigned f = 0; f < m->input->n_fields; f++)
				cr_assert_not_null(
					strstr(text.data, m->input->fields[f].name));
		}
	cr_assert_not_null(strstr(text.data, "mode: SINGLE_NODE_WRITER|"));
	cr_assert_not_null(strstr(text.data, "secrets: {string: string}"));
	buf_fini(&text);
}
