#include "rds/ros.h"

#include <stdio.h>
#include <string.h>

#include "core/config.h"
#include "core/log.h"
#include "core/mem.h"
#include "rds/keyring.h"
#include "rds/poll.h"
#include "rds/probe.h"
#include "rds/ros_impl.h"
#include "rds/ros_text.h"
#include "rds/volume.h"

static const struct rds_features *features(struct rds *rds)
{
	return &CONTAINER_OF(rds, struct ros, rds)->features;
}

static const struct rds_ops ros_ops = {
	.start = volume_start,
	.features = features,
};

struct ros_conf ros_conf_of(const struct config *c)
{
	return (struct ros_conf){
		.address = c->rds_address,
		.port = (uint16_t)c->rds_port,
		.user = c->rds_user,
		.key_file = c->rds_key_file,
		.host_key_file = c->rds_host_key,
		.is_insecure = c->rds_insecure,
		.base = c->volume_base,
		.pool_reserve_percent = (unsigned)c->pool_reserve_percent,
	};
}

static int check_cluster(const struct ros_conf *c, struct err *err)
{
	const char *id = c->cluster_id ? c->cluster_id : "";

	if (!*id && c->is_cluster_awaited)
		return 0;
	if (strlen(id) <= RDS_CLUSTER_MAX && ros_is(ROS_ID, id))
		return 0;
	return err_set(err, ERR_INVALID,
		       "the cluster id must be 1 to %d letters, digits or \"-\"",
		       RDS_CLUSTER_MAX);
}

static int check(const struct ros_conf *c, struct err *err)
{
	if (!c->address || !*c->address || !c->user || !*c->user)
		return err_set(err, ERR_INVALID, "the box's address or user is missing");
	if (!c->key_file || !*c->key_file)
		return err_set(err, ERR_INVALID, "no private key file is given");
	if (check_cluster(c, err))
		return -1;
	if (c->max_sessions > POOL_MAX)
		return err_set(err, ERR_INVALID, "at most %d sessions", POOL_MAX);
	if (c->pool_reserve_percent > 50)
		return err_set(err, ERR_INVALID, "at most 50 %% can be reserved");
	if (!c->is_insecure && (!c->host_key_file || !*c->host_key_file))
		return err_set(err, ERR_INVALID, "no host key file is given");
	return 0;
}

static int open_keys(struct keyring *keys, const struct ros_conf *c, struct err *err)
{
	if (c->is_insecure)
		log_warn("rds",
			 "the box's host key is not checked: anyone on the way can "
			 "be the box");
	if (ssh_open(err))
		return -1;
	return keyring_open(keys, c->key_file, c->is_insecure ? NULL : c->host_key_file,
			    err);
}

static void on_pool_done(struct op *op)
{
	struct ros *r = CONTAINER_OF(op, struct ros, pool.op);
	void (*stopped)(void *arg) = r->stopped;
	void *arg = r->stopped_arg;

	keyring_fini(&r->pool.keys);
	mem_free(r);
	if (stopped)
		stopped(arg);
}

static void on_poll_done(struct op *op)
{
	struct ros *r = CONTAINER_OF(op, struct ros, poll.op);

	r->is_polling = false;
	ros_settle(r);
}

/* What the box can do is known without any request, for readiness waits for it. */
static void on_round(struct poll *p)
{
	(void)probe_is_fresh(CONTAINER_OF(p, struct ros, poll));
}

static void start_poll(struct ros *r, uint64_t interval_ms)
{
	if (!interval_ms)
		return;
	r->poll.pool = &r->pool;
	r->poll.interval_ms = interval_ms;
	r->poll.begins = on_round;
	r->is_polling = true;
	poll_start(&r->poll, r->loop, on_poll_done);
}

int ros_new(struct rds **ret, uv_loop_t *loop, const struct ros_conf *conf,
	    struct err *err)
{
	struct ros_site site = {
		.cluster_id = conf->cluster_id,
		.adopt_unmarked = conf->adopt_unmarked,
		.reserve_percent = conf->pool_reserve_percent,
	};
	struct ros *r;

	if (check(conf, err) || ros_site_bases(&site, conf->base ? conf->base : "", err))
		return -1;
	r = mem_calloc(1, sizeof(*r));
	if (!r)
		return err_nomem(err);
	if (open_keys(&r->pool.keys, conf, err)) {
		mem_free(r);
		return -1;
	}
	r->rds.ops = &ros_ops;
	r->loop = loop;
	r->site = site;
	list_init(&r->waiting);
	list_init(&r->volumes);
	r->pool.conf = (struct ssh_conf){
		.address = conf->address,
		.port = conf->port ? conf->port : 22,
		.user = conf->user,
		.key_file = conf->key_file,
		.host_key_file = conf->host_key_file,
		.is_insecure = conf->is_insecure,
		.keys = &r->pool.keys,
	};
	r->pool.site = &r->site;
	r->pool.max_sessions = conf->max_sessions ? conf->max_sessions : POOL_MAX;
	pool_start(&r->pool, loop, on_pool_done);
	start_poll(r, conf->figures_interval_ms);
	*ret = &r->rds;
	return 0;
}

void ros_settle(struct ros *r)
{
	if (r->is_stopping && !r->is_probing && !r->is_polling &&
	    list_is_empty(&r->volumes))
		pool_stop(&r->pool);
}

void ros_stop(struct rds *rds, void (*stopped)(void *arg), void *arg)
{
	struct ros *r = CONTAINER_OF(rds, struct ros, rds);

	r->stopped = stopped;
	r->stopped_arg = arg;
	r->is_stopping = true;
	volume_stop_all(r);
	probe_stop(r);
	if (r->is_polling)
		op_cancel(&r->poll.op, ERR_CANCELLED);
	ros_settle(r);
}

void ros_stats(struct rds *rds, struct ros_stats *ret)
{
	pool_stats(&CONTAINER_OF(rds, struct ros, rds)->pool, ret);
}

const struct figures *ros_figures(struct rds *rds)
{
	const struct ros *r = CONTAINER_OF(rds, struct ros, rds);

	return r->is_polling ? poll_figures(&r->poll) : NULL;
}

uint64_t ros_figures_time(struct rds *rds)
{
	return CONTAINER_OF(rds, struct ros, rds)->poll.last_wall_us;
}
