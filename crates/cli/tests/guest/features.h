/* Features that a kernel may not have or may forbid. Their tests name the results that
 * they should have, and those are shown where the feature is not there. */
#pragma once
#include "guest.h"
#include "young.h"

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
