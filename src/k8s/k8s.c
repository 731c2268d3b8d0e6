#include "k8s/k8s.h"

bool k8s_is_current(const struct k8s *k)
{
	uint64_t now = clock_boot_ms(k->loop);

	for (unsigned i = 0; i < K8S_WATCHED; i++)
		if (!k8s_store_is_current(&k->stores[i], now))
			return false;
	return true;
}
