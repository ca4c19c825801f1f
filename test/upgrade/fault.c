// SPDX-License-Identifier: Apache-2.0
// Preloaded into anyvipd: kills it, or fails one of its calls, at a step of an upgrade in place. Which one
// stands in the file $ANYVIP_FAULT, "STEP kill" or "STEP fail", and is met once: then the file is gone, and
// the step stands in $ANYVIP_FAULT.met.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#undef pread
#undef pwrite

// The program that hands over, the one that is tried, the one that takes over until it has settled.
static enum { OLD, TRIAL, NEW } role;
static long self;
static int input = -1;       // what the trial will read
static int state = -1;       // what the new program will read
static int is_last_part = 0; // of the state: BFD is being written

// Only system calls: this may be a child that still shares its parent's memory.
static int is_met(const char* step) {
    char name[300], text[64] = "", met[64];
    const char* file = getenv("ANYVIP_FAULT");
    if (file == NULL) {
        return 0;
    }
    const int error = errno;
    const long from = syscall(SYS_openat, AT_FDCWD, file, O_RDONLY | O_CLOEXEC);
    if (from < 0) {
        errno = error;
        return 0;
    }
    syscall(SYS_read, from, text, sizeof text - 1);
    syscall(SYS_close, from);
    errno = error;
    const size_t length = strlen(step);
    if (strncmp(text, step, length) != 0 || text[length] != ' ') {
        return 0;
    }
    syscall(SYS_unlinkat, AT_FDCWD, file, 0);
    snprintf(name, sizeof name, "%s.met", file);
    snprintf(met, sizeof met, "%s\n", text);
    const long to = syscall(SYS_openat, AT_FDCWD, name, O_WRONLY | O_CREAT | O_APPEND, 0600);
    syscall(SYS_write, to, met, strlen(met));
    syscall(SYS_close, to);
    if (strcmp(text + length, " kill") == 0) {
        syscall(SYS_kill, syscall(SYS_getpid), SIGKILL);
    }
    return 1;
}

static int fails(const char* step, int error) {
    if (!is_met(step)) {
        return 0;
    }
    errno = error;
    return 1;
}

__attribute__((constructor)) static void begin(int argc, char** argv) {
    self = syscall(SYS_getpid);
    for (int i = 1; i < argc; i++) {
        role = strcmp(argv[i], "--upgrade-trial") == 0 ? TRIAL : role;
    }
    const char* number = getenv("ANYVIP_UPGRADE_STATE");
    if (role == TRIAL) {
        is_met("trial-start");
    } else if (number != NULL) {
        role = NEW;
        state = atoi(number);
        is_met("start");
    }
}

int memfd_create(const char* name, unsigned flags) {
    const int is_state = strcmp(name, "anyvip-state") == 0;
    if (fails(is_state ? "state-memory" : "trial-memory", ENOMEM)) {
        return -1;
    }
    const int file = (int)syscall(SYS_memfd_create, name, flags);
    *(is_state ? &state : &input) = file;
    is_last_part = 0;
    return file;
}

ssize_t pwrite(int file, const void* octets, size_t size, off_t at) {
    if (file == input && fails("trial-write", ENOSPC)) {
        return -1;
    }
    return syscall(SYS_pwrite64, file, octets, size, at);
}

ssize_t pwrite64(int file, const void* octets, size_t size, off_t at) {
    return pwrite(file, octets, size, at);
}

int pipe2(int ends[2], int flags) {
    return fails("trial-pipe", EMFILE) ? -1 : (int)syscall(SYS_pipe2, ends, flags);
}

int execve(const char* path, char* const* argv, char* const* environment) {
    return fails("trial-exec", ENOMEM) ? -1 : (int)syscall(SYS_execve, path, argv, environment);
}

ssize_t pread(int file, void* octets, size_t size, off_t at) {
    if ((role == TRIAL && file == 0 && fails("trial-read", EIO)) ||
        (role == NEW && file == state && fails("read", EIO))) {
        return -1;
    }
    return syscall(SYS_pread64, file, octets, size, at);
}

ssize_t pread64(int file, void* octets, size_t size, off_t at) { return pread(file, octets, size, at); }

ssize_t __pread_chk(int file, void* octets, size_t size, off_t at, size_t room) {
    return size > room ? -1 : pread(file, octets, size, at);
}

ssize_t __pread64_chk(int file, void* octets, size_t size, off_t at, size_t room) {
    return __pread_chk(file, octets, size, at, room);
}

ssize_t write(int file, const void* octets, size_t size) {
    if (role == OLD && file >= 0 && file == state &&
        fails(is_last_part ? "bfd-write" : "state-write", ENOSPC)) {
        return -1;
    }
    return syscall(SYS_write, file, octets, size);
}

int close_range(unsigned first, unsigned last, int flags) {
    if (syscall(SYS_getpid) == self && role == OLD) {
        is_met("close-range");
        is_last_part = 1;
    }
    return (int)syscall(SYS_close_range, first, last, flags);
}

int execveat(int directory, const char* path, char* const* argv, char* const* environment, int flags) {
    return fails("exec", ENOMEM) ? -1
                                 : (int)syscall(SYS_execveat, directory, path, argv, environment, flags);
}

int pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*run)(void*), void* with) {
    int (*real)(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*) =
        (int (*)(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*))dlsym(RTLD_NEXT,
                                                                                   "pthread_create");
    return role == NEW && fails("bfd-start", EAGAIN) ? EAGAIN : real(thread, attributes, run, with);
}

int socket(int family, int type, int protocol) {
    // From then on: the first one may be for something that can do without.
    static int is_netlink_gone;
    is_netlink_gone |= role == NEW && family == AF_NETLINK && fails("netlink", EMFILE);
    if (role == NEW && family == AF_NETLINK && is_netlink_gone) {
        errno = EMFILE;
        return -1;
    }
    return (int)syscall(SYS_socket, family, type, protocol);
}

int pthread_sigmask(int how, const sigset_t* set, sigset_t* old) {
    int (*real)(int, const sigset_t*, sigset_t*) =
        (int (*)(int, const sigset_t*, sigset_t*))dlsym(RTLD_NEXT, "pthread_sigmask");
    if (role == OLD && how == SIG_BLOCK) {
        is_met("commit");
    } else if (role == NEW && how == SIG_UNBLOCK) {
        is_met("settled");
        role = OLD;
        state = -1;
    }
    return real(how, set, old);
}
