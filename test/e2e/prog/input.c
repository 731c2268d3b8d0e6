/* Bad input: every request field hostile, for every RPC; unknown class parameters; bad
 * flags. The process lives, says INVALID_ARGUMENT, and nothing of it reaches the box. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "e2e/child.h"
#include "e2e/e2e.h"
#include "e2e/left.h"
#include "e2e/vol.h"

static struct sim sim;
static struct driver driver;
static struct vol vol;
static pid_t first_pid;

static bool open_both(void)
{
	memset(&sim, 0, sizeof(sim));
	memset(&driver, 0, sizeof(driver));
	e2e_path(sim.dir, "box");
	driver.sim = &sim;
	driver.is_controller = driver.is_node = true;
	if (!sim_start(&sim))
		return false;
	driver_open(&driver);
	if (!driver_start(&driver))
		return false;
	first_pid = driver.pid;
	vol_init(&vol, "pvc-input");
	return true;
}

static void close_both(void)
{
	CHECK(!driver_is_gone(&driver, 0) && driver.pid == first_pid, "the driver died");
	CHECK(sim_stat(&sim, "unknown") == 0, "the box did not know a command");
	CHECK(sim_stat(&sim, "execs_failed") == 0, "%ld scripts failed on the box",
	      sim_stat(&sim, "execs_failed"));
	driver_close(&driver);
	sim_stop(&sim);
}

/* ---- a valid request of any method, and a walk over its strings ---- */

static const char *valid_text(const char *field)
{
	static const char *const known[][2] = {
		{ "node_id", "node-a" },      { "starting_token", "" },
		{ "volume_mount_group", "" }, { "fs_type", "ext4" },
		{ "key", "layout" },	      { "value", "file" }
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(field, known[i][0]) == 0)
			return known[i][1];
	if (strcmp(field, "staging_target_path") == 0)
		return vol.staging;
	if (strcmp(field, "target_path") == 0 || strcmp(field, "volume_path") == 0)
		return vol.target;
	return vol.id;
}

static void *valid_request(const char *method)
{
	static const char *const pair[] = { "layout", "file" };
	ProtobufCMessage *m = rpc_request(method);

	for (unsigned i = 0; i < m->descriptor->n_fields; i++) {
		const ProtobufCFieldDescriptor *f = &m->descriptor->fields[i];
		char *at = (char *)m + f->offset;
		void *value = NULL;

		if (f->type == PROTOBUF_C_TYPE_STRING)
			value = rpc_text(valid_text(f->name));
		else if (strcmp(f->name, "volume_capability") == 0)
			value = vol_capability(&vol);
		else if (strcmp(f->name, "capacity_range") == 0)
			value = vol_range(1LL << 30, 0);
		else if (strcmp(f->name, "volume_capabilities") == 0) {
			size_t one = 1;
			void **list = rpc_alloc(sizeof(*list));

			list[0] = vol_capability(&vol);
			value = list;
			memcpy((char *)m + f->quantifier_offset, &one, sizeof(one));
		} else if (strcmp(f->name, "parameters") == 0) {
			rpc_map(m, f->name, pair, 1);
			continue;
		} else
			continue;
		memcpy(at, &value, sizeof(value));
	}
	return m;
}

enum { MAX_SLOTS = 40 };
struct slot {
	const char *field; /* the map's name inside a map */
	char **text;
};

static unsigned slots_of(ProtobufCMessage *m, const char *map, struct slot *out,
			 unsigned n)
{
	for (unsigned i = 0; i < m->descriptor->n_fields && n < MAX_SLOTS; i++) {
		const ProtobufCFieldDescriptor *f = &m->descriptor->fields[i];
		void *at = (char *)m + f->offset;
		ProtobufCMessage **list;
		size_t count = 1;

		if (f->type == PROTOBUF_C_TYPE_STRING &&
		    f->label != PROTOBUF_C_LABEL_REPEATED)
			out[n++] = (struct slot){ map ? map : f->name, at };
		if (f->type != PROTOBUF_C_TYPE_MESSAGE)
			continue;
		if ((f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) &&
		    *(uint32_t *)(void *)((char *)m + f->quantifier_offset) != f->id)
			continue;
		list = at;
		if (f->label == PROTOBUF_C_LABEL_REPEATED) {
			memcpy(&count, (char *)m + f->quantifier_offset, sizeof(count));
			list = *(ProtobufCMessage ***)at;
		}
		for (size_t k = 0; list && k < count; k++)
			if (list[k])
				n = slots_of(list[k],
					     strstr(list[k]->descriptor->name, "Entry")
						     ? f->name
						     : map,
					     out, n);
	}
	return n;
}

/* ---- hostile values ---- */

enum kind { MISSING, LONG, NOT_TEXT, MARK };
#define NUL_HERE "\x01NUL\x01" /* its first byte becomes NUL once packed */

static char long_text[5000];
static const struct {
	const char *text;
	enum kind kind;
} hostile[] = {
	{ "", MISSING },
	{ long_text, LONG },
	{ "pvc-\xff\xfe", NOT_TEXT },
	{ "pvc-\xc0\xaf", NOT_TEXT },
	{ "pvc-\xed\xa0\x80", NOT_TEXT },
	{ "pvc" NUL_HERE, NOT_TEXT },
	{ "pvc\nzz9", MARK },
	{ "pvc\"zz9", MARK },
	{ "pvc\"];/disk/remove [find];:put \"zz9", MARK },
	{ "pvc$zz9", MARK },
	{ "pvc[zz9]", MARK },
	{ "pvc;zz9", MARK },
	{ "../zz9", MARK },
	{ "pvc/../../zz9", MARK },
	{ "..", MARK },
	{ "-zz9", MARK },
	{ "pvc\\zz9", MARK },
	{ "pvc zz9", MARK },
	{ "pvc-\xc3\xa9zz9", MARK },
	{ "`zz9`", MARK },
};
enum { N_HOSTILE = sizeof(hostile) / sizeof(hostile[0]) };

static bool is_one_of(const char *text, const char *const *list)
{
	for (; *list; list++)
		if (strcmp(text, *list) == 0)
			return true;
	return false;
}

static bool is_id(const char *field)
{
	return is_one_of(field, (const char *const[]){ "name", "volume_id", NULL });
}

static bool is_required(const char *method, const char *field)
{
	static const char *const required[] = { "name",	       "volume_id",
						"node_id",     "staging_target_path",
						"target_path", "volume_path",
						NULL };
	static const char *const may_lack[][2] = {
		{ "ControllerUnpublishVolume", "node_id" },
		{ "NodePublishVolume", "staging_target_path" },
		{ "NodeExpandVolume", "staging_target_path" },
		{ "NodeGetVolumeStats", "staging_target_path" },
	};

	for (size_t i = 0; i < sizeof(may_lack) / sizeof(may_lack[0]); i++)
		if (strcmp(method, may_lack[i][0]) == 0 &&
		    strcmp(field, may_lack[i][1]) == 0)
			return false;
	return is_one_of(field, required);
}

/* What a call may answer. Unmaking what cannot exist is OK; anything else is not found or
 * not valid; a hostile path may meet the file system's own refusal. */
static bool is_fitting(enum err_code code, const char *method, const struct slot *s,
		       enum kind kind)
{
	if (kind == NOT_TEXT || kind == LONG)
		return code == ERR_INVALID;
	if (kind == MISSING && is_required(method, s->field))
		return code == ERR_INVALID;
	if (code == ERR_INVALID || code == ERR_NOT_FOUND)
		return true;
	if (is_id(s->field))
		return code == ERR_OK &&
		       (strstr(method, "Delete") || strstr(method, "Un"));
	return code == ERR_OK || code == ERR_PRECONDITION || code == ERR_ABORTED ||
	       code == ERR_RANGE;
}

static enum err_code send_hostile(const char *method, const ProtobufCMessage *m)
{
	size_t len = protobuf_c_message_get_packed_size(m);
	uint8_t *packed = malloc(len + 1), *nul;
	struct rpc_call c;
	enum err_code code;

	(void)protobuf_c_message_pack(m, packed);
	nul = memmem(packed, len, NUL_HERE, strlen(NUL_HERE));
	if (nul)
		*nul = 0;
	rpc_start_raw(&driver, &c, method, packed, len);
	code = rpc_wait(&driver, &c);
	rpc_free(&c);
	free(packed);
	return code;
}

static void one_field(const char *method, unsigned index)
{
	for (unsigned h = 0; h < N_HOSTILE; h++) {
		ProtobufCMessage *m = valid_request(method);
		struct slot slots[MAX_SLOTS];
		unsigned n = slots_of(m, NULL, slots, 0);
		long execs = sim_stat(&sim, "execs");
		enum err_code code;

		if (index >= n)
			return;
		*slots[index].text = rpc_text(hostile[h].text);
		code = send_hostile(method, m);
		CHECK(is_fitting(code, method, &slots[index], hostile[h].kind),
		      "%s, %s = '%.40s': %s", method, slots[index].field, hostile[h].text,
		      rpc_message());
		if (is_id(slots[index].field))
			CHECK(sim_stat(&sim, "execs") == execs,
			      "%s, %s = '%.40s' reached the box", method,
			      slots[index].field, hostile[h].text);
		rpc_reset();
	}
}

static const char *const methods[] = {
	"CreateVolume",
	"DeleteVolume",
	"ControllerPublishVolume",
	"ControllerUnpublishVolume",
	"ControllerExpandVolume",
	"ControllerGetVolume",
	"ValidateVolumeCapabilities",
	"GetCapacity",
	"NodeStageVolume",
	"NodeUnstageVolume",
	"NodePublishVolume",
	"NodeUnpublishVolume",
	"NodeGetVolumeStats",
	"NodeExpandVolume",
	NULL,
};

static void every_field(void)
{
	struct vol v;
	char *text;
	unsigned fields = 0;

	if (!open_both())
		return;
	memset(long_text, 'a', sizeof(long_text) - 1);
	v = vol;
	for (unsigned i = 0; methods[i]; i++) {
		struct slot slots[MAX_SLOTS];
		unsigned n = slots_of(valid_request(methods[i]), NULL, slots, 0);

		rpc_reset();
		for (unsigned k = 0; k < n; k++)
			one_field(methods[i], k);
		fields += n;
	}
	e2e_note("%u fields, %u values each", fields, (unsigned)N_HOSTILE);
	vol_must(&driver, &v,
		 VOL_DELETE); /* a hostile secret is no reason not to create */
	text = sim_get_text(&sim, "/history");
	CHECK(text && !strstr(text, "zz9"), "a hostile value reached the box");
	free(text);
	CHECK(sim_files(&sim, NULL) == 0, "a file was made");
	CHECK(left_mounts(e2e_dir()) == 0 && left_loops(e2e_dir()) == 0,
	      "something is left");
	close_both();
}

/* The claim's name is kept for people: it must not break the record. */
static void hostile_claim(void)
{
	static const char *const values[] = { "a\"b", "a b=c", "a\nb h=node-z/w",
					      "$x",   "[x]",   " h=node-z/w",
					      "a;b",  "../..", "\xc3\xa9" };

	if (!open_both())
		return;
	for (unsigned i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		json_t *d;
		const char *comment;
		enum err_code code;

		vol.parameters[0] = "csi.storage.k8s.io/pvc/name";
		vol.parameters[1] = values[i];
		vol.parameters[2] = "csi.storage.k8s.io/pvc/namespace";
		vol.parameters[3] = i % 2 ? values[i] : "default";
		code = vol_do(&driver, &vol, VOL_CREATE);
		CHECK(code == ERR_OK || code == ERR_INVALID, "%s: %s", values[i],
		      rpc_message());
		d = sim_disk(&sim, vol.id);
		comment = sim_text(d, "comment");
		CHECK(!d || (strstr(comment, " h=- ") && !strstr(comment, "node-z/w ") &&
			     strspn(comment,
				    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789._:/,=- ") == strlen(comment)),
		      "the record is '%s'", comment);
		json_decref(d);
		vol_must(&driver, &vol, VOL_DELETE);
	}
	close_both();
}

/* ---- class parameters ---- */

static void class_parameters(void)
{
	static const struct {
		const char *name, *value;
		enum err_code code;
	} rows[] = {
		{ "volumPath", "/storage-pool/metal-csi", ERR_INVALID },
		{ "Layout", "file", ERR_INVALID },
		{ "layout", "files", ERR_INVALID },
		{ "nvmePort", "0", ERR_INVALID },
		{ "nvmePort", "65536", ERR_INVALID },
		{ "nvmePort", "4420x", ERR_INVALID },
		{ "volumePath", "relative", ERR_INVALID },
		{ "volumePath", "/storage-pool/../etc", ERR_INVALID },
		{ "volumePath", "/storage-pool/a\"b", ERR_INVALID },
		{ "ctrlLossTmo", "soon", ERR_INVALID },
		{ "csi.storage.k8s.io/whatever", "x", ERR_OK },
		{ "sshPort", "22", ERR_OK },
		{ "rdsPort", "22", ERR_OK },
		{ "nqnPrefix", "x", ERR_OK },
		{ "fsType", "ext4", ERR_OK },
		{ "nvmePort", "4421", ERR_OK },
	};

	if (!open_both())
		return;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		enum err_code code;

		vol.parameters[0] = rows[i].name;
		vol.parameters[1] = rows[i].value;
		code = vol_do(&driver, &vol, VOL_CREATE);
		CHECK(code == rows[i].code, "%s=%s: %s", rows[i].name, rows[i].value,
		      rpc_message());
		if (code == ERR_INVALID)
			CHECK(strstr(rpc_message(), rows[i].name) != NULL,
			      "%s is not named: %s", rows[i].name, rpc_message());
		else
			vol_must(&driver, &vol, VOL_DELETE);
	}
	close_both();
}

/* ---- flags ---- */

static void bad_flags(void)
{
	static const char *const rows[] = {
		"--no-such-flag",	    "--rds-port=0",
		"--rds-port=65536",	    "--rds-port=22x",
		"--endpoint=http://x/",	    "--endpoint=tcp://10.0.0.1:1",
		"--cluster-id=a b",	    "--driver-name=a/b",
		"--kubernetes=maybe",	    "--rds-key-file=/nonexistent",
		"--log-level=loud",	    "--fence-settle=soon",
		"--rds-sessions=9",	    "--pool-reserve=100",
		"--rds-volume-base-path=x", "--node-backend=scsi",
	};
	char out[E2E_PATH], text[4096];
	const char *real = getenv("RDS_CSI");

	memset(&sim, 0, sizeof(sim));
	e2e_path(sim.dir, "box");
	if (!CHECK(real != NULL, "RDS_CSI") || !sim_start(&sim))
		return;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char endpoint[300], key[300], host[300];
		const char *argv[] = { real,
				       "--controller",
				       "--metrics-address=",
				       "--kubernetes=off",
				       "--cluster-id=e2e",
				       endpoint,
				       "--rds-address=127.0.0.1",
				       key,
				       host,
				       rows[i],
				       NULL };
		struct child_conf conf = { .argv = argv,
					   .log = e2e_path(out, "flag-%u", i) };
		int status, fd;
		ssize_t n = 0;
		char name[64];

		(void)snprintf(endpoint, sizeof(endpoint), "--endpoint=%s/f.sock",
			       e2e_dir());
		(void)snprintf(key, sizeof(key), "--rds-key-file=%s/client_key", sim.dir);
		(void)snprintf(host, sizeof(host), "--rds-host-key=%s/host_key.pub",
			       sim.dir);
		status = child_wait(child_start(&conf), 60000);
		fd = open(out, O_RDONLY | O_CLOEXEC);
		if (fd >= 0) {
			n = read(fd, text, sizeof(text) - 1);
			close(fd);
		}
		text[n > 0 ? n : 0] = '\0';
		(void)snprintf(name, sizeof(name), "%.*s", (int)strcspn(rows[i] + 2, "="),
			       rows[i] + 2);
		CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 2, "%s: wait status %d",
		      rows[i], status);
		CHECK((strstr(text, name) || strstr(text, "/nonexistent")) &&
			      strchr(text, '\n') == text + strlen(text) - 1,
		      "%s: not one line that names it: %s", rows[i], text);
	}
	sim_stop(&sim);
}

int main(int argc, char **argv)
{
	static const struct e2e_test tests[] = {
		{ "every_field", every_field, false },
		{ "hostile_claim", hostile_claim, false },
		{ "class_parameters", class_parameters, false },
		{ "bad_flags", bad_flags, false },
		{ 0 },
	};

	return e2e_main(argc, argv, tests);
}
