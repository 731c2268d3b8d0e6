#include "k8s/lease_rules.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "core/json.h"
#include "k8s/stamp.h"

const struct lease_terms lease_usual_terms = {
	.duration_ms = 17000,
	.deadline_ms = 13000,
	.margin_ms = 2000,
	.retry_ms = 1000,
	.renew_ms = 7000,
};

/* Any write at all gives another version; the rest is for a server whose versions began
 * anew (restored from a backup). */
static bool is_same(const struct k8s_lease *a, const struct k8s_lease *b)
{
	return strcmp(a->o.version, b->o.version) == 0 &&
	       strcmp(a->o.uid, b->o.uid) == 0 && strcmp(a->holder, b->holder) == 0 &&
	       strcmp(a->renew_time, b->renew_time) == 0;
}

static bool has_changed(const struct lease_self *self, const struct k8s_lease *lease)
{
	if (!self->has_looked || !lease || !self->seen)
		return !self->has_looked || lease != self->seen;
	return !is_same(lease, self->seen);
}

/* What its writer promised to renew within; one that says nothing is taken to keep our
 * terms. */
static uint32_t duration_of(const struct lease_self *self, const struct k8s_lease *lease)
{
	if (!lease->duration_s)
		return self->terms.duration_ms;
	return lease->duration_s < UINT32_MAX / 1000 ? lease->duration_s * 1000
						     : UINT32_MAX;
}

static bool is_of_us(const struct lease_self *self, const struct k8s_lease *lease)
{
	return strcmp(lease->holder, self->identity) == 0;
}

static void note(struct lease_self *self, const struct k8s_lease *lease, uint64_t now_ms)
{
	if (has_changed(self, lease))
		self->seen_ms = now_ms;
	self->has_looked = true;
	self->is_doubtful = false;
	self->seen = lease;
	if (!lease)
		return;
	self->last_ms = duration_of(self, lease);
	if (!is_of_us(self, lease))
		self->has_renewed = false;
}

/* Whatever has become of the Lease: until then nobody can have waited its duration. */
static bool is_term_running(const struct lease_self *self, uint64_t now_ms)
{
	return self->has_renewed &&
	       now_ms - self->renewed_ms <
		       self->terms.deadline_ms - self->terms.margin_ms;
}

/* It is ours now, and that says nothing of who else had it until now: it was gone, and
 * another may have made and renewed one unseen that was deleted, too; or a write of ours
 * was carried out late. So his term is waited for. */
static void be_patient(struct lease_self *self, const struct k8s_lease *lease,
		       uint64_t now_ms)
{
	if (lease && is_of_us(self, lease) && self->last_ms &&
	    !(self->seen && is_of_us(self, self->seen)) && !is_term_running(self, now_ms))
		self->waits_until_ms = now_ms + self->last_ms;
}

void lease_saw(struct lease_self *self, const struct k8s_lease *lease, uint64_t now_ms)
{
	be_patient(self, lease, now_ms);
	note(self, lease, now_ms);
}

/* What it has replaced by its version did not change before. */
void lease_wrote(struct lease_self *self, const struct k8s_lease *lease,
		 uint64_t began_ms, uint64_t now_ms)
{
	if (!self->seen)
		be_patient(self, lease, now_ms);
	note(self, lease, now_ms);
	if (!is_of_us(self, lease))
		return;
	self->has_renewed = true;
	self->renewed_ms = began_ms;
}

void lease_doubt(struct lease_self *self)
{
	self->is_doubtful = true;
}

bool lease_is_own(const struct lease_self *self)
{
	return self->seen && is_of_us(self, self->seen);
}

uint64_t lease_end_ms(const struct lease_self *self, uint64_t now_ms)
{
	if (!lease_is_own(self) || !is_term_running(self, now_ms) ||
	    now_ms < self->waits_until_ms)
		return 0;
	return self->renewed_ms + self->terms.deadline_ms - self->terms.margin_ms;
}

enum lease_act lease_after_rest(const struct lease_self *self)
{
	return lease_is_own(self) && !self->is_doubtful ? LEASE_WRITE : LEASE_LOOK;
}

enum lease_act lease_after_look(const struct lease_self *self, uint64_t now_ms)
{
	const struct k8s_lease *seen = self->seen;
	bool is_over;

	if (!seen) {
		is_over = !self->last_ms || is_term_running(self, now_ms) ||
			  now_ms - self->seen_ms >= self->last_ms;
		return is_over ? LEASE_CREATE : LEASE_REST;
	}
	is_over = !*seen->holder || is_of_us(self, seen) ||
		  now_ms - self->seen_ms >= duration_of(self, seen);
	return is_over ? LEASE_WRITE : LEASE_REST;
}

/* Our own: renewed every renew_ms, and sooner when a renewal has failed, for the term
 * runs out. Another's: with jitter, and just when it runs out, so that a take-over takes
 * no longer than it must. */
uint32_t lease_rest_ms(const struct lease_self *self, uint64_t now_ms, bool has_failed,
		       uint32_t random)
{
	uint32_t ms = self->terms.retry_ms;
	uint64_t end = self->seen_ms + self->last_ms;

	if (lease_is_own(self))
		return has_failed ? ms / 2 : self->terms.renew_ms;
	ms += random % (ms / 4 + 1);
	if (!has_failed && self->last_ms && end > now_ms && end - now_ms < ms)
		ms = (uint32_t)(end - now_ms);
	return ms;
}

static json_t *metadata(const struct lease_self *self)
{
	json_t *meta = json_pack("{s:s,s:s}", "name", self->name, "namespace", self->ns);

	if (!meta || !self->seen)
		return meta;
	if (json_object_set_new(meta, "uid", json_string(self->seen->o.uid)) ||
	    json_object_set_new(meta, "resourceVersion",
				json_string(self->seen->o.version))) {
		json_decref(meta);
		return NULL;
	}
	return meta;
}

/* client-go leaves a released Lease with a duration of 1 s and a holder of "". */
static json_t *spec(const struct lease_self *self, enum lease_text what, uint64_t wall_us)
{
	bool is_release = what == LEASE_RELEASE;
	uint32_t transitions = self->seen ? self->seen->transitions : 0;
	uint32_t duration_s = is_release ? 1 : self->terms.duration_ms / 1000;
	char acquired[K8S_STAMP], renewed[K8S_STAMP];

	if (self->seen && !is_of_us(self, self->seen) && transitions < INT32_MAX)
		transitions++;
	k8s_stamp_micro(self->acquired_us, acquired);
	k8s_stamp_micro(wall_us, renewed);
	return json_pack("{s:s,s:I,s:s,s:s,s:I}", "holderIdentity",
			 is_release ? "" : self->identity, "leaseDurationSeconds",
			 (json_int_t)duration_s, "acquireTime", acquired, "renewTime",
			 renewed, "leaseTransitions", (json_int_t)transitions);
}

int lease_body(struct lease_self *self, enum lease_text what, uint64_t wall_us,
	       struct buf *ret_body)
{
	json_use_mem();
	if (!lease_is_own(self))
		self->acquired_us = wall_us;
	buf_reset(ret_body);
	return json_print_take(json_pack("{s:s,s:s,s:o,s:o}", "apiVersion",
					 "coordination.k8s.io/v1", "kind", "Lease",
					 "metadata", metadata(self), "spec",
					 spec(self, what, wall_us)),
			       ret_body);
}

/* RFC 1123 subdomain: lower case, digits, '-' and '.', as a CSI driver's name nearly is.
 */
void lease_name(const char *driver_name, char ret[LEASE_NAME_MAX + 1])
{
	(void)snprintf(ret, LEASE_NAME_MAX + 1, "%.200s-controller", driver_name);
	for (char *c = ret; *c; c++) {
		*c = (char)tolower((unsigned char)*c);
		if (!islower((unsigned char)*c) && !isdigit((unsigned char)*c) &&
		    *c != '.')
			*c = '-';
	}
}
