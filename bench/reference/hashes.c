/*
 * The reference C code of Argon2 as quick as it can be called: its memory is one block that
 * stays, on huge pages. The bench compiles this together with the sources it is pointed to, runs
 * it with the password as its argument, and asks line by line:
 *
 *     memory_kib passes lanes threads milliseconds
 *
 * It answers with the hashes done, the wall clock's and the processor's nanoseconds, and the last
 * tag in hex.
 */

#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "argon2.h"

#define HUGE_PAGE ((size_t)2 << 20)
#define BLOCK ((size_t)128 << 20)
#define TAG 32

static uint8_t *block;

static int lend(uint8_t **memory, size_t bytes) {
    *memory = bytes <= BLOCK ? block : NULL;
    return 0;
}

/* The library has wiped it by now, as it does by default. */
static void take_back(uint8_t *memory, size_t bytes) {
    (void)memory;
    (void)bytes;
}

static uint64_t nanoseconds(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

int main(int count, char **arguments) {
    unsigned memory_kib, passes, lanes, threads, milliseconds;
    if (count != 2) return 1;
    if (posix_memalign((void **)&block, HUGE_PAGE, BLOCK) != 0) return 1;
    madvise(block, BLOCK, MADV_HUGEPAGE);

    while (scanf("%u %u %u %u %u", &memory_kib, &passes, &lanes, &threads, &milliseconds) == 5) {
        uint8_t salt[16], tag[TAG];
        memset(salt, 7, sizeof salt);
        argon2_context context = {
            .out = tag, .outlen = TAG,
            .pwd = (uint8_t *)arguments[1], .pwdlen = (uint32_t)strlen(arguments[1]),
            .salt = salt, .saltlen = sizeof salt,
            .t_cost = passes, .m_cost = memory_kib, .lanes = lanes, .threads = threads,
            .version = ARGON2_VERSION_13,
            .allocate_cbk = lend, .free_cbk = take_back,
            .flags = ARGON2_DEFAULT_FLAGS,
        };
        uint64_t hashes = 0, begun, spent, elapsed;
        /* The first touches the memory. */
        if (argon2id_ctx(&context) != ARGON2_OK) return 2;
        begun = nanoseconds(CLOCK_MONOTONIC);
        spent = nanoseconds(CLOCK_PROCESS_CPUTIME_ID);
        do {
            if (argon2id_ctx(&context) != ARGON2_OK) return 2;
            hashes++;
            elapsed = nanoseconds(CLOCK_MONOTONIC) - begun;
        } while (elapsed < (uint64_t)milliseconds * 1000000u);
        spent = nanoseconds(CLOCK_PROCESS_CPUTIME_ID) - spent;
        printf("%llu %llu %llu ", (unsigned long long)hashes, (unsigned long long)elapsed,
               (unsigned long long)spent);
        for (int at = 0; at < TAG; at++) printf("%02x", tag[at]);
        printf("\n");
        fflush(stdout);
    }
    return 0;
}
