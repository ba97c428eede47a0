/* Features that a kernel may not have or may forbid. Their tests name the results that
 * they should have, and those are shown where the feature is not there. */
#pragma once
#include "guest.h"

/* Younger than some headers; the same on all architectures. */
#ifndef __NR_cachestat
#define __NR_cachestat 451
#endif
#ifndef __NR_fchmodat2
#define __NR_fchmodat2 452
#endif
#ifndef __NR_map_shadow_stack
#define __NR_map_shadow_stack 453
#endif
#ifndef __NR_futex_wake
#define __NR_futex_wake 454
#endif
#ifndef __NR_futex_wait
#define __NR_futex_wait 455
#endif
#ifndef __NR_futex_requeue
#define __NR_futex_requeue 456
#endif
#ifndef __NR_statmount
#define __NR_statmount 457
#endif
#ifndef __NR_listmount
#define __NR_listmount 458
#endif
#ifndef __NR_lsm_get_self_attr
#define __NR_lsm_get_self_attr 459
#endif
#ifndef __NR_lsm_set_self_attr
#define __NR_lsm_set_self_attr 460
#endif
#ifndef __NR_lsm_list_modules
#define __NR_lsm_list_modules 461
#endif

/* Whether the feature that is tested is there. */
static int there;

/* Takes what a first call of a feature has returned. Any other error is the feature's own. */
static long feature(long result) {
    there = result != -ENOSYS && result != -EPERM && result != -EACCES && result != -EOPNOTSUPP;
    return result;
}

/* As show and show_yes, for a feature: `call` is only made where that is there. */
#define expect(what, value, call) show(what, there ? (long)(call) : (long)(value))
#define expect_yes(what, yes) show_yes(what, there ? (yes) : 1)
