/* SPDX-License-Identifier: Apache-2.0 */
/* fiber.c - stackful coroutines with a hand-written switch (see fiber.h).
 *
 * swapcontext() makes two system calls per switch and costs thirty times as much, so the switch is
 * a dozen instructions for x86-64 and aarch64. The struct fiber sits at the top of its own stack;
 * the mapping is guard page, stack, struct. All switching is between the thread's main stack and a
 * fiber, never between two fibers: a woken fiber runs from the loop's deferred work, which keeps
 * order fair.
 *
 * The sanitizers are told of every switch. Floating point control words are not switched: nobody
 * here changes them. */
#include "common/fiber.h"
#include "common/loop.h"
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#define FIBER_ASAN 1
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#else
#define FIBER_ASAN 0
#endif
#if defined(__SANITIZE_THREAD__) || __has_feature(thread_sanitizer)
#define FIBER_TSAN 1
#include <sanitizer/tsan_interface.h>
#else
#define FIBER_TSAN 0
#endif

#if FIBER_ASAN || FIBER_TSAN
#define FIBER_STACK (256U << 10) /* instrumented frames are larger */
#else
#define FIBER_STACK (64U << 10)
#endif
#define GUARD 4096U
#define POOL_MAX 2048U /* free stacks kept for each thread */

struct fiber {
	void *sp; /* while not running */
	struct loop *loop;
	fiber_fn *fn;
	void *arg;
	struct loop_work work; /* on the loop's run queue */
	bool suspended;
	bool done;
	uint64_t tag;
	uint8_t *map;
	struct fiber *next_free;
	void *fake_stack; /* ASan */
	void *tsan;
};

/* One for each thread that runs fibers. */
static __thread struct {
	struct fiber *running;
	void *main_sp;
	struct fiber *free;
	uint32_t nfree, count, color;
	const void *main_bottom; /* ASan: the main stack */
	size_t main_size;
	void *main_fake;
	void *main_tsan;
} me;

/* Saves the callee-saved registers on the current stack and its pointer to *save; loads the other.
 */
void fiber_switch_stack(void **save, void *load);
/* Where a new stack starts; calls fiber_main. */
void fiber_start(void);

#if defined(__x86_64__)
__asm__(".text\n"
	".p2align 4\n"
	".type fiber_switch_stack, @function\n"
	".globl fiber_switch_stack\n"
	"fiber_switch_stack:\n"
	"	pushq %rbp\n"
	"	pushq %rbx\n"
	"	pushq %r12\n"
	"	pushq %r13\n"
	"	pushq %r14\n"
	"	pushq %r15\n"
	"	movq %rsp, (%rdi)\n"
	"	movq %rsi, %rsp\n"
	"	popq %r15\n"
	"	popq %r14\n"
	"	popq %r13\n"
	"	popq %r12\n"
	"	popq %rbx\n"
	"	popq %rbp\n"
	"	ret\n"
	".size fiber_switch_stack, .-fiber_switch_stack\n"
	".p2align 4\n"
	".type fiber_start, @function\n"
	".globl fiber_start\n"
	"fiber_start:\n"
	"	.cfi_startproc\n"
	"	.cfi_undefined rip\n" /* the end of every backtrace */
	"	callq *%r12\n"
	"	ud2\n"
	"	.cfi_endproc\n"
	".size fiber_start, .-fiber_start\n");

static void *first_frame(void *top, void (*entry)(void))
{
	void **sp = top;

	*--sp = NULL; /* keeps the stack aligned to 16 at fiber_start's call */
	*--sp = NULL;
	*--sp = (void *)(uintptr_t)fiber_start; /* return address */
	*--sp = NULL;				/* rbp */
	*--sp = NULL;				/* rbx */
	*--sp = (void *)(uintptr_t)entry;	/* r12 */
	*--sp = NULL;				/* r13 */
	*--sp = NULL;				/* r14 */
	*--sp = NULL;				/* r15 */
	return sp;
}
#elif defined(__aarch64__)
__asm__(".text\n"
	".p2align 4\n"
	".type fiber_switch_stack, %function\n"
	".globl fiber_switch_stack\n"
	"fiber_switch_stack:\n"
	"	sub sp, sp, #160\n"
	"	stp x19, x20, [sp, #0]\n"
	"	stp x21, x22, [sp, #16]\n"
	"	stp x23, x24, [sp, #32]\n"
	"	stp x25, x26, [sp, #48]\n"
	"	stp x27, x28, [sp, #64]\n"
	"	stp x29, x30, [sp, #80]\n"
	"	stp d8, d9, [sp, #96]\n"
	"	stp d10, d11, [sp, #112]\n"
	"	stp d12, d13, [sp, #128]\n"
	"	stp d14, d15, [sp, #144]\n"
	"	mov x9, sp\n"
	"	str x9, [x0]\n"
	"	mov sp, x1\n"
	"	ldp x19, x20, [sp, #0]\n"
	"	ldp x21, x22, [sp, #16]\n"
	"	ldp x23, x24, [sp, #32]\n"
	"	ldp x25, x26, [sp, #48]\n"
	"	ldp x27, x28, [sp, #64]\n"
	"	ldp x29, x30, [sp, #80]\n"
	"	ldp d8, d9, [sp, #96]\n"
	"	ldp d10, d11, [sp, #112]\n"
	"	ldp d12, d13, [sp, #128]\n"
	"	ldp d14, d15, [sp, #144]\n"
	"	add sp, sp, #160\n"
	"	ret\n"
	".size fiber_switch_stack, .-fiber_switch_stack\n"
	".p2align 4\n"
	".type fiber_start, %function\n"
	".globl fiber_start\n"
	"fiber_start:\n"
	"	.cfi_startproc\n"
	"	.cfi_undefined x30\n" /* the end of every backtrace */
	"	blr x19\n"
	"	brk #0\n"
	"	.cfi_endproc\n"
	".size fiber_start, .-fiber_start\n");

static void *first_frame(void *top, void (*entry)(void))
{
	uint64_t *sp = (uint64_t *)top - 20;

	memset(sp, 0, 160);
	sp[0] = (uintptr_t)entry;	 /* x19 */
	sp[11] = (uintptr_t)fiber_start; /* x30 */
	return sp;
}
#else
#error "fiber.c has no stack switch for this processor"
#endif

/* ---- stacks ---- */

static struct fiber *stack_get(void)
{
	struct fiber *f = me.free;
	uint8_t *map;

	if (f) {
		me.free = f->next_free;
		me.nfree--;
#if FIBER_ASAN
		/* Frames that were left by the last switch never ran their epilogue. */
		__asan_unpoison_memory_region(f->map + GUARD, FIBER_STACK);
#endif
		return f;
	}
	map = mmap(NULL, GUARD + FIBER_STACK, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
	if (map == MAP_FAILED)
		return NULL;
	if (mprotect(map, GUARD, PROT_NONE)) {
		munmap(map, GUARD + FIBER_STACK);
		return NULL;
	}
	/* The tops of stacks would all fall into the same cache sets: shift them against each
	 * other. */
	f = (struct fiber *)(map + GUARD + FIBER_STACK - (sizeof(*f) + 63) / 64 * 64 -
			     192 * (size_t)(me.color++ % 16));
	f->map = map;
	return f;
}

static void stack_put(struct fiber *f)
{
	if (me.nfree >= POOL_MAX) {
		munmap(f->map, GUARD + FIBER_STACK);
		return;
	}
	f->next_free = me.free;
	me.free = f;
	me.nfree++;
}

void fiber_pool_drain(void)
{
	struct fiber *f;

	while ((f = me.free)) {
		me.free = f->next_free;
		munmap(f->map, GUARD + FIBER_STACK);
	}
	me.nfree = 0;
}

/* ---- switching ---- */

/* From f to the main stack. */
static void switch_out(struct fiber *f)
{
#if FIBER_ASAN
	__sanitizer_start_switch_fiber(f->done ? NULL : &f->fake_stack, me.main_bottom,
				       me.main_size);
#endif
#if FIBER_TSAN
	__tsan_switch_to_fiber(me.main_tsan, 0);
#endif
	fiber_switch_stack(&f->sp, me.main_sp);
#if FIBER_ASAN
	__sanitizer_finish_switch_fiber(f->fake_stack, &me.main_bottom, &me.main_size);
#endif
}

static void fiber_main(void)
{
	struct fiber *f = me.running;

#if FIBER_ASAN
	__sanitizer_finish_switch_fiber(NULL, &me.main_bottom, &me.main_size);
#endif
	f->fn(f->arg);
	f->done = true;
	switch_out(f);
	assert(!"a fiber that ended runs again");
}

/* From the main stack to f, until it suspends or ends. */
static void switch_in(struct fiber *f)
{
	assert(!me.running && !f->done);
	me.running = f;
#if FIBER_ASAN
	__sanitizer_start_switch_fiber(&me.main_fake, f->map + GUARD, FIBER_STACK);
#endif
#if FIBER_TSAN
	me.main_tsan = __tsan_get_current_fiber();
	__tsan_switch_to_fiber(f->tsan, 0);
#endif
	fiber_switch_stack(&me.main_sp, f->sp);
#if FIBER_ASAN
	__sanitizer_finish_switch_fiber(me.main_fake, NULL, NULL);
#endif
	me.running = NULL;
	if (!f->done)
		return;
#if FIBER_TSAN
	__tsan_destroy_fiber(f->tsan);
#endif
	me.count--;
	stack_put(f);
}

static void run_work(void *arg)
{
	switch_in(arg);
}

int fiber_spawn(struct loop *l, fiber_fn *fn, void *arg)
{
	struct fiber *f = stack_get();
	uint8_t *map;

	if (!f)
		return -ENOMEM;
	map = f->map;
	*f = (struct fiber){.loop = l, .fn = fn, .arg = arg, .map = map};
	f->work.fn = run_work;
	f->work.arg = f;
	f->sp = first_frame((void *)((uintptr_t)f & ~(uintptr_t)15), fiber_main);
#if FIBER_TSAN
	f->tsan = __tsan_create_fiber(0);
#endif
	me.count++;
	if (me.running)
		loop_defer(l, &f->work);
	else
		switch_in(f);
	return 0;
}

struct fiber *fiber_self(void)
{
	return me.running;
}

struct loop *fiber_loop(struct fiber *f)
{
	return f->loop;
}

void fiber_set_tag(uint64_t tag)
{
	me.running->tag = tag;
}

uint64_t fiber_tag(void)
{
	return me.running ? me.running->tag : 0;
}

void fiber_co_suspend(void)
{
	struct fiber *f = me.running;

	assert(f);
	f->suspended = true;
	switch_out(f);
}

void fiber_wake(struct fiber *f)
{
	assert(f->suspended);
	f->suspended = false;
	loop_defer(f->loop, &f->work);
}

uint32_t fiber_count(void)
{
	return me.count;
}
