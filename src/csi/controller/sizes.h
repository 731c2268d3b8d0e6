#ifndef CSI_CONTROLLER_SIZES_H
#define CSI_CONTROLLER_SIZES_H
#include <stdbool.h>
#include <stdint.h>

#include "core/err.h"
#include "csi.pb-c.h"

/* Which size a capacity range asks for. Pure. Sizes are whole MiB, never below 1 GiB nor
 * above 16 TiB: always sent and compared in bytes, because RouterOS rounds what it shows.
 */
#define SIZES_STEP (UINT64_C(1) << 20)
#define SIZES_MIN (UINT64_C(1) << 30)
#define SIZES_MAX (UINT64_C(16) << 40)

/* required_bytes rounded up and raised to the minimum; a missing range asks for the
 * minimum. INVALID_ARGUMENT for negative numbers, OUT_OF_RANGE when the limit or the
 * maximum forbids it. */
int sizes_pick(const Csi__V1__CapacityRange *range, uint64_t *ret_bytes, struct err *err);
/* Whether a volume that exists already satisfies a range that sizes_pick accepts. */
bool sizes_fit(const Csi__V1__CapacityRange *range, uint64_t existing_bytes);
#endif
