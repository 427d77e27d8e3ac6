/* A plugin for qemu-aarch64 7.2 (plugin API 1) that counts the guest's instructions exactly, by class.
 *
 *     -plugin file=counting_plugin.so,out=PATH
 *
 * Every translated block gets one 64-bit counter that the generated code increments; its instructions are classified
 * once, when it is translated. The guest cuts its run into segments by a system call that does nothing else:
 *
 *     umask(0x7a000000 | mark << 9 | 022)        in Python: os.umask(...)
 *
 * The kernel looks at the lowest nine bits only, never refuses, and Python builds no exception for it. At each mark
 * one JSON line is written with the counts since the mark before; at a mark with bit 13 set also each block's.
 *
 * The counters are not atomic: with more than one thread they could lose increments. `threads` in every line says how
 * many there have been.
 *
 * The part of QEMU's API that is used is declared here, so that neither QEMU's headers nor glib's are needed. */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "instruction_classes.h"

typedef uint64_t qemu_plugin_id_t;
typedef struct {
    const char *target_name;
    struct { int min, cur; } version;
    bool system_emulation;
    struct { int smp_vcpus, max_vcpus; } system;
} qemu_info_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
enum qemu_plugin_op { QEMU_PLUGIN_INLINE_ADD_U64 };

typedef void (*vcpu_callback)(qemu_plugin_id_t, unsigned);
typedef void (*translation_callback)(qemu_plugin_id_t, struct qemu_plugin_tb *);
typedef void (*data_callback)(qemu_plugin_id_t, void *);
typedef void (*syscall_callback)(qemu_plugin_id_t, unsigned, int64_t, uint64_t, uint64_t, uint64_t, uint64_t,
                                 uint64_t, uint64_t, uint64_t, uint64_t);

void qemu_plugin_register_vcpu_init_cb(qemu_plugin_id_t, vcpu_callback);
void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t, translation_callback);
void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *, enum qemu_plugin_op, void *, uint64_t);
void qemu_plugin_register_vcpu_syscall_cb(qemu_plugin_id_t, syscall_callback);
void qemu_plugin_register_atexit_cb(qemu_plugin_id_t, data_callback, void *);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *, size_t);
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *);

#define EXPORTED __attribute__((visibility("default")))
EXPORTED int qemu_plugin_version = 1;

enum {
    UMASK_SYSCALL = 166,
    MARK_TAG = 0x7a,
    MARK_WITH_BLOCKS = 1 << 13,
    BUCKETS = 1 << 18,
    BYTES_PER_INSTRUCTION = 4,
};

/* `counted` is what earlier segments have had of `executed`. */
struct block {
    uint64_t executed, counted, address;
    uint32_t length, hash;
    uint16_t classes[CLASS_COUNT];
    struct block *next_in_bucket, *next;
};

static struct block *buckets[BUCKETS], *first_block;
static FILE *out;
static unsigned threads;

static uint32_t instruction(const struct qemu_plugin_tb *tb, size_t position)
{
    uint32_t word;
    memcpy(&word, qemu_plugin_insn_data(qemu_plugin_tb_get_insn(tb, position)), sizeof word);
    return word;
}

/* FNV-1a over the code: a block that is translated again must find its counter, other code at its place must not. */
static uint32_t hash_of(const struct qemu_plugin_tb *tb, size_t length)
{
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ instruction(tb, i)) * 16777619u;
    return hash;
}

static void *allocate(size_t size)
{
    void *memory = calloc(1, size);
    if (!memory) {
        fputs("counting_plugin: out of memory\n", stderr);
        exit(1);
    }
    return memory;
}

static struct block *find_block(const struct qemu_plugin_tb *tb)
{
    const uint64_t address = qemu_plugin_tb_vaddr(tb);
    const size_t length = qemu_plugin_tb_n_insns(tb);
    const uint32_t hash = hash_of(tb, length);
    struct block **bucket = &buckets[(hash ^ address / BYTES_PER_INSTRUCTION) % BUCKETS];
    for (struct block *block = *bucket; block; block = block->next_in_bucket)
        if (block->address == address && block->length == length && block->hash == hash)
            return block;
    struct block *block = allocate(sizeof *block);
    block->address = address;
    block->length = length;
    block->hash = hash;
    for (size_t i = 0; i < length; i++)
        block->classes[classify(instruction(tb, i))]++;
    block->next_in_bucket = *bucket;
    *bucket = block;
    block->next = first_block;
    first_block = block;
    return block;
}

static void on_translation(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
    (void)id;
    qemu_plugin_register_vcpu_tb_exec_inline(tb, QEMU_PLUGIN_INLINE_ADD_U64, &find_block(tb)->executed, 1);
}

static void write_blocks(void)
{
    const char *separator = "";
    fputs(", \"blocks\": [", out);
    for (const struct block *block = first_block; block; block = block->next)
        if (block->executed != block->counted) {
            const unsigned long long instructions = (block->executed - block->counted) * block->length;
            fprintf(out, "%s[%llu, %llu]", separator, (unsigned long long)block->address, instructions);
            separator = ", ";
        }
    fputs("]", out);
}

static void end_segment(int mark)
{
    uint64_t total = 0, classes[CLASS_COUNT] = { 0 };
    for (const struct block *block = first_block; block; block = block->next) {
        const uint64_t executions = block->executed - block->counted;
        total += executions * block->length;
        for (int i = 0; executions && i < CLASS_COUNT; i++)
            classes[i] += executions * block->classes[i];
    }
    fprintf(out, "{\"mark\": %d, \"threads\": %u, \"all\": %llu", mark, threads, (unsigned long long)total);
    for (int i = 0; i < CLASS_COUNT; i++)
        fprintf(out, ", \"%s\": %llu", class_names[i], (unsigned long long)classes[i]);
    if (mark >= 0 && mark & MARK_WITH_BLOCKS)
        write_blocks();
    fputs("}\n", out);
    for (struct block *block = first_block; block; block = block->next)
        block->counted = block->executed;
}

static void on_syscall(qemu_plugin_id_t id, unsigned vcpu, int64_t number, uint64_t argument, uint64_t b, uint64_t c,
                       uint64_t d, uint64_t e, uint64_t f, uint64_t g, uint64_t h)
{
    (void)id, (void)vcpu, (void)b, (void)c, (void)d, (void)e, (void)f, (void)g, (void)h;
    if (number == UMASK_SYSCALL && (uint32_t)argument >> 24 == MARK_TAG)
        end_segment((uint32_t)argument >> 9 & 0x7fff);
}

static void on_thread(qemu_plugin_id_t id, unsigned vcpu)
{
    (void)id, (void)vcpu;
    threads++;
}

static void on_exit_of_guest(qemu_plugin_id_t id, void *data)
{
    (void)id, (void)data;
    end_segment(-1);
    fclose(out);
}

EXPORTED int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc, char **argv)
{
    if (strcmp(info->target_name, "aarch64") || argc != 1 || strncmp(argv[0], "out=", 4))
        return -1;
    out = fopen(argv[0] + 4, "w");
    if (!out)
        return -1;
    qemu_plugin_register_vcpu_init_cb(id, on_thread);
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
    qemu_plugin_register_vcpu_syscall_cb(id, on_syscall);
    qemu_plugin_register_atexit_cb(id, on_exit_of_guest, NULL);
    return 0;
}
