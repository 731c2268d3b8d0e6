#ifndef APP_H
#define APP_H
#include "core/config.h"
#include "core/loop.h"
#include "csi/controller/vmi.h"
#include "csi/csi.h"
#include "csi/dispatch.h"
#include "csi/grpc/server.h"
#include "csi/ids.h"
#include "csi/node/start.h"
#include "csi/node/traffic.h"
#include "csi/registration.h"
#include "kube.h"
#include "metrics/server.h"

/* The whole process: made by app.c, run by main.c. Static; nobody else includes it. */
struct app {
	struct op op;
	struct loop loop;
	struct config config;
	struct csi csi;
	struct dispatch dispatch;
	const struct rpc_method *tables[3];
	struct grpc_server server;
	struct node_start start;
	struct registration registration;
	struct metrics_server metrics;
	struct kube kube;
	struct vmi vmi;
	struct node_traffic traffic;
	struct expo_source sources[128];
	char host_nqn[ID_NQN], host_id[UUID_TEXT];
	struct clock_timer patience;
};

/* Makes the modules that this mode needs; nothing runs yet. On failure what was made
 * stays where it is. */
int app_build(struct app *a, struct err *err);
/* What is told by HTTP (app_metrics.c); binds its address. For app_build. */
int app_metrics(struct app *a, struct err *err);
#endif
