/*
 * tsan.h - telling ThreadSanitizer what it cannot see: memory that goes from one thread to another by way of the engine.
 */
#ifndef REGLET_UTIL_TSAN_H
#define REGLET_UTIL_TSAN_H

#if defined(__SANITIZE_THREAD__)
#define REGLET__TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define REGLET__TSAN 1
#endif
#endif

#ifdef REGLET__TSAN
void __tsan_acquire(void *address);
void __tsan_release(void *address);
#define reglet__tsan_acquire(address) __tsan_acquire(address)
#define reglet__tsan_release(address) __tsan_release(address)
#else
#define reglet__tsan_acquire(address) ((void)(address))
#define reglet__tsan_release(address) ((void)(address))
#endif

#endif
