#include "rds/disk_record.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "core/str.h"

static bool is_one_of(const char *s, size_t n, size_t max, const char *more)
{
	if (n == 0 || n > max)
		return false;
	for (size_t i = 0; i < n; i++)
		if (!((s[i] >= '0' && s[i] <= '9') || (s[i] >= 'A' && s[i] <= 'Z') ||
		      (s[i] >= 'a' && s[i] <= 'z') || (s[i] && strchr(more, s[i]))))
			return false;
	return true;
}

static bool is_cluster(const char *s, size_t n)
{
	return is_one_of(s, n, RDS_CLUSTER_MAX, "-");
}

static bool is_node(const char *s, size_t n)
{
	return is_one_of(s, n, RDS_NODE_MAX, "._-");
}

static bool is_claim(const char *s, size_t n)
{
	return is_one_of(s, n, RDS_CLAIM_MAX, "._:/,=-");
}

int disk_record_is_nonce(const char *s)
{
	return strspn(s, "0123456789abcdef") == RDS_NONCE && !s[RDS_NONCE];
}

/* Takes "<key><value>" up to the next blank or the end; NULL when the key is another. */
static const char *field(const char **p, const char *key, size_t *n)
{
	const char *value;

	if (!str_starts_with(*p, key))
		return NULL;
	value = *p + strlen(key);
	*n = strcspn(value, " ");
	*p = value + *n;
	if (**p == ' ')
		(*p)++;
	return value;
}

static bool copy(char *out, size_t size, const char *s, size_t n)
{
	if (n >= size)
		return false;
	memcpy(out, s, n);
	out[n] = '\0';
	return true;
}

static bool read_nonce(struct rds_record *r, const char **p)
{
	size_t n;
	const char *v = field(p, RDS_RECORD_MARK, &n);

	return v && copy(r->nonce, sizeof(r->nonce), v, n) &&
	       disk_record_is_nonce(r->nonce);
}

static bool read_cluster(struct rds_record *r, const char **p)
{
	size_t n;
	const char *v = field(p, "c=", &n);

	return v && is_cluster(v, n) && copy(r->cluster, sizeof(r->cluster), v, n);
}

static bool read_generation(struct rds_record *r, const char **p)
{
	size_t n;
	const char *v = field(p, "g=", &n);
	char digits[11];
	uint64_t g;

	/* No leading zeros: every record has one spelling. */
	if (!v || !copy(digits, sizeof(digits), v, n) || (n > 1 && v[0] == '0') ||
	    str_to_u64(digits, &g) || g > UINT32_MAX)
		return false;
	r->generation = (uint32_t)g;
	return true;
}

static bool read_state(struct rds_record *r, const char **p)
{
	size_t n;
	const char *v = field(p, "s=", &n);

	r->is_fencing = v && n == 7 && memcmp(v, "fencing", 7) == 0;
	return r->is_fencing || (v && n == 2 && memcmp(v, "ok", 2) == 0);
}

static bool read_holder(struct rds_record *r, const char *v, size_t n)
{
	struct rds_holder *h = &r->holders[r->n_holders];

	if (r->n_holders == RDS_MAX_HOLDERS || n < 3 || v[n - 2] != '/' ||
	    !memchr("wxru", v[n - 1], 4) || !is_node(v, n - 2) ||
	    !copy(h->node, sizeof(h->node), v, n - 2))
		return false;
	for (unsigned i = 0; i < r->n_holders; i++)
		if (strcmp(r->holders[i].node, h->node) == 0)
			return false;
	h->use = v[n - 1];
	r->n_holders++;
	return true;
}

static bool read_holders(struct rds_record *r, const char **p)
{
	size_t n;
	const char *v = field(p, "h=", &n);

	if (!v)
		return false;
	if (n == 1 && *v == '-')
		return true;
	for (;;) {
		const char *comma = memchr(v, ',', n);
		size_t one = comma ? (size_t)(comma - v) : n;

		if (!read_holder(r, v, one))
			return false;
		if (!comma)
			return true;
		v += one + 1;
		n -= one + 1;
	}
}

/* ".<seconds>" */
static bool read_since(struct rds_record *r, const char *v, size_t n)
{
	char digits[11];
	uint64_t at;

	if (*v != '.' || !copy(digits, sizeof(digits), v + 1, n - 1) ||
	    digits[0] == '0' || str_to_u64(digits, &at) || at > UINT32_MAX)
		return false;
	r->released_at = (uint32_t)at;
	return true;
}

static bool read_bound(struct rds_record *r, const char **p)
{
	size_t n;
	const char *v = field(p, "b=", &n);

	if (!v || n == 0 || *v < '0' || *v > '3')
		return false;
	r->is_bound = *v != '0';
	r->is_released = *v == '2';
	r->is_deletable = *v == '2' || *v == '3';
	if (n > 1 && !(r->is_released && read_since(r, v + 1, n - 1)))
		return false;
	return !r->is_released || r->n_holders == 0;
}

static bool read_claim(struct rds_record *r, const char **p)
{
	size_t n;
	const char *v = field(p, "q=", &n);

	if (!v || **p || (*p)[-1] == ' ')
		return false;
	if (n == 1 && *v == '-')
		return true;
	return is_claim(v, n) && copy(r->claim, sizeof(r->claim), v, n);
}

void disk_record_parse(struct rds_record *r, const char *comment, const char *cluster_id)
{
	const char *p = comment;

	*r = (struct rds_record){ .kind = RDS_RECORD_NONE };
	if (!comment || !*comment)
		return;
	if (!read_nonce(r, &p) || !read_cluster(r, &p) || !read_generation(r, &p) ||
	    !read_state(r, &p) || !read_holders(r, &p) || !read_bound(r, &p) ||
	    !read_claim(r, &p)) {
		*r = (struct rds_record){ .kind = RDS_RECORD_UNREADABLE };
		return;
	}
	r->kind = strcmp(r->cluster, cluster_id) == 0 ? RDS_RECORD_OURS
						      : RDS_RECORD_FOREIGN;
}

static int check(const struct rds_record *r, struct err *err)
{
	if (!disk_record_is_nonce(r->nonce) ||
	    !is_cluster(r->cluster, strlen(r->cluster)) || r->n_holders > RDS_MAX_HOLDERS)
		return err_set(err, ERR_INVALID, "record: bad nonce, cluster or count");
	for (unsigned i = 0; i < r->n_holders; i++) {
		const struct rds_holder *h = &r->holders[i];

		if (!is_node(h->node, strlen(h->node)) || !h->use ||
		    !strchr("wxru", h->use))
			return err_set(err, ERR_INVALID,
				       "record: \"%.64s\" cannot be a holder", h->node);
		for (unsigned k = 0; k < i; k++)
			if (strcmp(r->holders[k].node, h->node) == 0)
				return err_set(err, ERR_INVALID, "record: %s holds twice",
					       h->node);
	}
	return 0;
}

static void mend_claim(char out[RDS_CLAIM_MAX + 1], const char *claim)
{
	size_t n = strnlen(claim, RDS_CLAIM_MAX);

	for (size_t i = 0; i < n; i++)
		out[i] = is_claim(claim + i, 1) ? claim[i] : '-';
	out[n] = '\0';
	if (n == 0)
		memcpy(out, "-", 2);
}

static void format_bound(char out[16], const struct rds_record *r)
{
	bool is_released = r->is_released && r->n_holders == 0;

	if (is_released && r->released_at)
		(void)snprintf(out, 16, "2.%u", r->released_at);
	else
		(void)snprintf(out, 16, "%d",
			       is_released			? 2
			       : r->is_bound && r->is_deletable ? 3
								: r->is_bound);
}

int disk_record_format(char out[RDS_RECORD_MAX], const struct rds_record *r,
		       struct err *err)
{
	char claim[RDS_CLAIM_MAX + 1], bound[16];
	int n;

	if (check(r, err))
		return -1;
	n = snprintf(out, RDS_RECORD_MAX,
		     RDS_RECORD_MARK "%s c=%s g=%u s=%s h=", r->nonce, r->cluster,
		     r->generation, r->is_fencing ? "fencing" : "ok");
	for (unsigned i = 0; i < r->n_holders; i++)
		n += snprintf(out + n, RDS_RECORD_MAX - (size_t)n, "%s%s/%c",
			      i ? "," : "", r->holders[i].node, r->holders[i].use);
	mend_claim(claim, r->claim);
	format_bound(bound, r);
	(void)snprintf(out + n, RDS_RECORD_MAX - (size_t)n, "%s b=%s q=%s",
		       r->n_holders ? "" : "-", bound, claim);
	return 0;
}
