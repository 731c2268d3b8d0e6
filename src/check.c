#include "check.h"

#include <stdio.h>
#include <stdlib.h>

#include "check_args.h"
#include "check_findings.h"
#include "core/log.h"
#include "core/mem.h"
#include "rds/look_file.h"

static const char usage[] =
	"rds-csi check [the controller's flags] [--nvme-address ADDRESS] [--nvme-port "
	"N]\n\n"
	"Looks at the box from where it runs and says, one line each, what is well "
	"(ok),\n"
	"what is worth knowing (note) and what is missing, with what to do (problem).\n"
	"Changes nothing on the box. Ends with 0 when all is well, 1 when something is\n"
	"missing, 2 for a bad flag.\n"
	"  --nvme-address  where nodes reach the exports, the nvmeAddress of your\n"
	"                  StorageClass (default: --rds-address)\n"
	"  --nvme-port     and at which port (4420)\n";

struct check {
	struct check_args args;
	struct ssh_conf conf;
	struct look_facts facts;
	struct findings findings;
};

static const char *get_env(const char *name)
{
	return getenv(name);
}

static int print_reference(void)
{
	struct buf text;

	buf_init(&text, 64 * 1024);
	if (findings_reference(&text) == 0)
		(void)fputs(text.data, stdout);
	buf_fini(&text);
	return CHECK_WELL;
}

static int print_findings(struct check *c)
{
	const struct check_asked asked = {
		.config = &c->args.config,
		.nvme_address = c->args.nvme_address,
		.nvme_port = c->args.nvme_port,
	};
	struct buf text;

	findings_make(&c->findings, &c->facts, &asked);
	buf_init(&text, 64 * 1024);
	if (findings_print(&c->findings, &text) == 0)
		(void)fputs(text.data, stdout);
	buf_fini(&text);
	return findings_problems(&c->findings) ? CHECK_MISSING : CHECK_WELL;
}

static int look(struct check *c)
{
	const struct config *config = &c->args.config;
	struct err err;

	c->conf = (struct ssh_conf){
		.address = config->rds_address,
		.port = (uint16_t)config->rds_port,
		.user = config->rds_user,
		.key_file = config->rds_key_file,
		.host_key_file = config->rds_host_key,
		.is_insecure = config->rds_insecure,
	};
	if (ssh_open(&err)) {
		(void)fprintf(stderr, "rds-csi check: %s\n", err.msg);
		return CHECK_MISSING;
	}
	look_files(&c->facts, &c->conf);
	return print_findings(c);
}

int check_main(int argc, char **argv)
{
	static struct check c;
	struct err err;

	log_open(LOG_ERROR, false);
	(void)uv_replace_allocator(mem_uv_alloc, mem_uv_realloc, mem_uv_calloc,
				   mem_uv_free);
	if (check_args(&c.args, argc, argv, get_env, &err)) {
		(void)fprintf(stderr, "rds-csi check: %s\n", err.msg);
		return CHECK_BAD_FLAG;
	}
	if (c.args.is_help) {
		(void)fputs(usage, stdout);
		return CHECK_WELL;
	}
	return c.args.is_reference ? print_reference() : look(&c);
}
